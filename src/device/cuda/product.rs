//! Products on a card: launches of `product.cu`; and memory of our own there.

use super::card::{Card, Kept, grid};
use super::moments::run;
use super::rows::{Cuda, CudaRows, Raw};
use super::{Source, missing};
use crate::device::{Data, Device, ProductKernels};
use crate::{Error, Result, real::Real};
use cudarc::driver::{CudaSlice, DevicePtr, PushKernelArg};
use std::sync::Arc;

pub(super) const SOURCE: Source = Source {
    name: "product.cu",
    text: include_str!("product.cu"),
};
const BATCH: usize = 64;
const TARGETS: usize = 4;
const THREADS: u32 = 256;

/// Memory of ours on a card.
pub struct Room {
    bytes: Option<CudaSlice<u8>>,
    card: Arc<Card>,
}

impl Room {
    /// Bytes of the host.
    pub fn of(card: &Arc<Card>, bytes: &[u8]) -> Result<Self> {
        let _kept = Kept::now()?;
        let sent = card.send(bytes)?;
        card.wait()?;
        Ok(Self {
            bytes: Some(sent),
            card: Arc::clone(card),
        })
    }

    /// Where it is.
    pub fn first(&self) -> u64 {
        let first = |bytes: &CudaSlice<u8>| bytes.device_ptr(bytes.stream()).0;
        self.bytes.as_ref().map_or(0, first)
    }

    /// Its first bytes, for the host.
    pub fn fetch(&self, out: &mut [u8]) -> Result<()> {
        let _kept = Kept::now()?;
        self.bytes
            .as_ref()
            .map_or(Ok(()), |bytes| self.card.fetch_into(bytes, out))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _kept = Kept::now();
        self.bytes.take();
    }
}

/// The bytes of numbers.
fn bytes<T: Real>(values: &[T]) -> &[u8] {
    // SAFETY: numbers are plain bits, without gaps.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

impl Cuda {
    /// `XC + b`, row by row, `n × m`, or where `less` what `y` is more than that: on the card.
    pub fn predict<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        coef: &[T],
        intercept: &[T],
        less: bool,
    ) -> Result<Room> {
        let (n, p, of) = rows.shape();
        let m = intercept.len();
        if coef.len() != p * m || less && of != m {
            return Err(Error::Shape("coefficients are not of these rows"));
        }
        let (_kept, raw, card) = (Kept::now()?, Raw::of(rows)?, &self.0);
        let mut out = card.room::<u8>(n * m * size_of::<T>(), "products")?;
        if n * m > 0 {
            let (coef, intercept) = (card.send(bytes(coef))?, card.send(bytes(intercept))?);
            let many = i32::try_from(m).map_err(|_| Error::Shape("too many targets"))?;
            let less = i32::from(less);
            let kernel = card.kernel::<T>(SOURCE, "product")?;
            let mut launch = card.stream.launch_builder(&kernel);
            launch.arg(&raw).arg(&coef).arg(&intercept);
            launch.arg(&many).arg(&less).arg(&mut out);
            let blocks = [n.div_ceil(BATCH), m.div_ceil(TARGETS)];
            run(launch, grid(blocks, THREADS)?)?;
        }
        card.wait()?;
        Ok(Room {
            bytes: Some(out),
            card: Arc::clone(card),
        })
    }
}

impl ProductKernels for Cuda {
    fn product<T: Real>(
        &self,
        x: &CudaRows<'_, T>,
        coef: &[T],
        intercept: &[T],
        out: &mut [T],
    ) -> Result<()> {
        let rows = Data {
            device: self,
            x,
            y: None,
            w: None,
        };
        if out.len() != Self::shape(x).0 * intercept.len() {
            return Err(Error::Shape("there is no room for the product"));
        }
        let found = self.predict(&rows, coef, intercept, false)?;
        // SAFETY: numbers are plain bits: any bytes are some.
        let out = unsafe {
            std::slice::from_raw_parts_mut(out.as_mut_ptr().cast::<u8>(), size_of_val(out))
        };
        found.fetch(out)
    }

    fn project<T: Real>(
        &self,
        _: &Data<'_, '_, Self, T>,
        _: &[f64],
        _: &[T],
        _: &mut [T],
    ) -> Result<()> {
        Err(missing("a projection"))
    }

    fn scatter<T: Real>(
        &self,
        _: &Data<'_, '_, Self, T>,
        _: &[f64],
        _: &[f64],
    ) -> Result<Vec<f64>> {
        Err(missing("a product of co-moments"))
    }
}
