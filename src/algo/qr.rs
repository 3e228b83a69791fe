//! # Orthonormal bases
//!
//! `X = Q R` of the rows of all ranks, `QᵀQ = I`, `R` upper triangular with a diagonal that is not
//! negative, `k = min(n, p)` rows; and with `R = U₁ Σ Vᵀ`, `X = U Σ Vᵀ`, `U = Q U₁`. `Q` and `U` are local:
//! a rank has the rows of its own. By the condition `κ` of the columns, scaled to length one:
//!
//! * Up to `10⁶`: `Moments`, `XᵀX = R₀ᵀR₀`, and `Z = X R₀⁻¹` by substitution, which is orthonormal but for
//!   `κ² ε`. Where that is not enough, the rows are looked at again for `ZᵀZ = R₁ᵀR₁`; then
//!   `Q = Z R₁⁻¹` and `R = R₁ R₀` (Yamamoto, Nakatsukasa, Yanagisawa, Fukaya 2015). `4 n p²` flops,
//!   `p² / 2` numbers reduced a look.
//! * Above, and where columns depend on each other or rows are too few: `TsqrBasis`. Reflections know no
//!   condition, and complete what is missing to orthonormal columns. `8 n p²` flops, `2 p²` numbers a
//!   step of the reduction.
//!
//! What is small beside the largest singular value has error `ε σ₁`, on either way.

use super::{Model, lead, moments, one_pass, shared};
use crate::{
    Error, Result,
    comm::{Communicator, Reader, Writer},
    device::{Data, Kernels, MomentOptions},
    memory,
    real::Real,
    solve::{self, Spectrum},
    summary::{Sums, TsqrBasis},
};

/// Squared length below which a column counts for none.
const TINIEST: f64 = 1e-280;
/// `‖R̃⁻¹‖²` over `p` up to which one look will do.
const EVEN: f64 = 4.0;
/// `‖R̃⁻¹‖²` above which squares are not enough.
const BAD: f64 = 1e12;

/// My rows.
pub struct Qr<'r, 'a, 'm, D: Kernels, T: Real> {
    /// My rows.
    pub rows: &'r Data<'a, 'm, D, T>,
    /// Rows of all ranks.
    pub all: usize,
    /// What the first rank may decompose with.
    pub threads: usize,
}

/// Where the rows of `Q` come from.
enum Basis {
    /// From mine, over these triangles.
    Quotient(Vec<Vec<f64>>),
    /// From the factors of blocks of mine, and their parts.
    Parts(Vec<f64>),
}

/// `U₁` and the spectrum, as they travel.
struct Turn {
    left: Vec<f64>,
    spectrum: Spectrum,
}

impl<D: Kernels, T: Real> Qr<'_, '_, '_, D, T> {
    fn k(&self) -> usize {
        self.all.min(self.rows.shape().1)
    }

    /// `R`, `k × p`, column by column; writes `Q`, `n × k`, row by row. A header must have agreed on all
    /// but the rows.
    pub fn qr(&self, comm: &dyn Communicator, mut out: Option<D::Out<'_, T>>) -> Result<Vec<f64>> {
        let (r, basis) = self.factor(comm, out.as_mut().map(D::again::<T>))?;
        if let Some(out) = out {
            self.write(basis, None, out)?;
        }
        Ok(r)
    }

    /// `Σ` and `V`, each vector with its largest entry positive; writes `U`, `n × k`, row by row.
    pub fn svd(&self, comm: &dyn Communicator, mut out: Option<D::Out<'_, T>>) -> Result<Spectrum> {
        let (k, p) = (self.k(), self.rows.shape().1);
        let (r, basis) = self.factor(comm, out.as_mut().map(D::again::<T>))?;
        let turn = lead(comm, || {
            let singular = |threads| solve::singular([k, p], &r, threads);
            let (mut left, mut spectrum) = shared(self.rows.device, (k, self.threads), singular)?;
            spectrum.turn_with(p, &mut left);
            Ok(Turn { left, spectrum })
        })?;
        if let Some(out) = out {
            self.write(basis, Some(&turn.left), out)?;
        }
        Ok(turn.spectrum)
    }

    fn write(&self, basis: Basis, turn: Option<&[f64]>, out: D::Out<'_, T>) -> Result<()> {
        let (k, p, device) = (self.k(), self.rows.shape().1, self.rows.device);
        match basis {
            Basis::Quotient(triangles) => {
                let triangles: Vec<&[f64]> = triangles.iter().map(Vec::as_slice).collect();
                device.quotient(self.rows, &triangles, turn, out)
            }
            Basis::Parts(mut parts) => {
                let s = parts.len() / k;
                if let Some(turn) = turn {
                    parts = solve::product([s, k, k], &parts, turn)?;
                }
                device.assemble(p, (&parts, s), (out, k))
            }
        }
    }

    /// `R`, and where `Q` comes from.
    fn factor(
        &self,
        comm: &dyn Communicator,
        out: Option<D::Out<'_, T>>,
    ) -> Result<(Vec<f64>, Basis)> {
        let (_, p, _) = self.rows.shape();
        if self.all < p {
            return self.by_reflections(comm, out);
        }
        let how = MomentOptions {
            centered: false,
            exact: true,
        };
        let seen = moments(self.rows, comm, how)?;
        let (found, loss) = root(comm, p, || {
            seen.is_finite().then(|| seen.products(p)).transpose()
        })?;
        if loss > BAD {
            return self.by_reflections(comm, out);
        }
        if loss <= EVEN * p as f64 {
            let copy = memory::copy(&found, "a triangle")?;
            return Ok((copy, Basis::Quotient(vec![found]))); // one
        }
        let look = || {
            comm.step("the look at the basis")?;
            Ok(Sums::of(self.rows.device.quotient_gram(self.rows, &found)?))
        };
        let seen = one_pass(comm, || Sums::empty(p * (p + 1) / 2), look)?;
        let (again, loss) = root(comm, p, || unpacked(p, seen.values()).map(Some))?;
        if loss > EVEN * p as f64 {
            return self.by_reflections(comm, out);
        }
        let r = solve::product([p, p, p], &again, &found)?;
        Ok((r, Basis::Quotient(vec![found, again]))) // two
    }

    /// Factors of blocks go into `out` on the way.
    fn by_reflections(
        &self,
        comm: &dyn Communicator,
        out: Option<D::Out<'_, T>>,
    ) -> Result<(Vec<f64>, Basis)> {
        let (k, p) = (self.k(), self.rows.shape().1);
        let mut mine = (Vec::new(), [0; 2]); // of no rows
        let look = || {
            comm.step("the look at the triangle")?;
            let out = out.map(|out| (out, k));
            let (mut stack, s) = self.rows.device.reflect(self.rows, out)?;
            let basis = solve::orthogonal(s, p, &mut stack)?;
            if !stack.iter().all(|entry| entry.is_finite()) {
                return Err(Error::NotFinite);
            }
            let used = s.min(p);
            mine = (basis, [s, used]);
            TsqrBasis::of(k, p, (&stack, s), used)
        };
        let seen = one_pass(comm, || TsqrBasis::empty(k, p), look)?;
        let mut r = memory::copy(seen.columns(), "a triangle")?;
        let (basis, [s, used]) = mine;
        let mut parts = match seen.part() {
            Some(part) => solve::product([s, used, k], &basis, part)?,
            None => basis,
        };
        for i in 0..k {
            if r[i * k + i] < 0.0 {
                r[i..]
                    .iter_mut()
                    .step_by(k)
                    .for_each(|entry| *entry = -*entry);
                let column = &mut parts[i * s..][..s];
                for entry in column.iter_mut() {
                    *entry = -*entry;
                }
            }
        }
        Ok((r, Basis::Parts(parts)))
    }
}

/// The first rank's root of products, and what it loses; nothing, and all, if there is none.
fn root(
    comm: &dyn Communicator,
    p: usize,
    products: impl FnOnce() -> Result<Option<Vec<f64>>>,
) -> Result<(Vec<f64>, f64)> {
    let fit = |square: &f64| square.is_finite() && *square > TINIEST;
    let mut words = lead(comm, || {
        let products = products()?.filter(|s| s.iter().step_by(p + 1).all(fit));
        let found = match products {
            Some(products) => solve::cholesky(p, p, products)?,
            None => None,
        };
        let (mut r, steep) = found.unwrap_or((Vec::new(), f64::INFINITY));
        r.push(steep * steep);
        Ok(r)
    })?;
    let loss = words.pop().ok_or(Error::Shape("a root"))?;
    Ok((words, loss))
}

/// The lower half of a square, column by column, of the lower triangle row by row.
fn unpacked(p: usize, rows: &[f64]) -> Result<Vec<f64>> {
    let mut square = memory::zeros(p * p, "products")?;
    for (j, column) in square.chunks_exact_mut(p).enumerate() {
        for (i, entry) in column.iter_mut().enumerate().skip(j) {
            *entry = rows[i * (i + 1) / 2 + j];
        }
    }
    Ok(square)
}

impl Model for Turn {
    fn words(&self) -> Result<Vec<f64>> {
        let Spectrum { values, vectors } = &self.spectrum;
        let room = 3 + self.left.len() + values.len() + vectors.len();
        let writer = Writer::new(room, "vectors")?.slice(&self.left)?;
        Ok(writer.slice(values)?.slice(vectors)?.finish())
    }

    fn of(words: Vec<f64>) -> Result<Self> {
        let mut reader = Reader::new(&words, "a model that travelled");
        let left = reader.vec()?;
        let [values, vectors] = [reader.vec()?, reader.vec()?];
        reader.finish()?;
        let spectrum = Spectrum { values, vectors };
        Ok(Self { left, spectrum })
    }
}
