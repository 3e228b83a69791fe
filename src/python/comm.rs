//! Communicators: of one process, of threads, of mpi4py.
#![allow(unsafe_code)] // mpi4py's library is handed over

use super::array::Held;
use super::error::{caught, raise};
use crate::algo::collective;
use crate::comm::{self, Communicator, Facts, Faulty, Join, Library, Mpi, Options, Solo, Threads};
use crate::{Error, Result, block::Block, device::Input};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyBytes;
use std::ffi::{CString, c_int};
use std::time::Duration;

/// The ranks that a call runs on. Made for one call.
#[pyclass(frozen, module = "sklearnex_rs._core")]
pub struct Comm {
    inner: Box<dyn Communicator>,
    node_info: Vec<Block>,
}

impl Comm {
    /// The trait's object.
    pub fn get(&self) -> &dyn Communicator {
        &*self.inner
    }

    /// What Python handed in; where that fails the other ranks learn of it.
    pub fn hold<T>(&self, py: Python<'_>, held: PyResult<T>) -> PyResult<T> {
        held.or_else(|error| {
            let told = caught(py, &error);
            self.run(py, |_| Err::<(), _>(told))?;
            Err(error)
        })
    }

    /// A collective call on rows, targets and weights that Python lends: without the GIL.
    pub fn on<'py, R: Send>(
        &self,
        rows: [Option<&Bound<'py, PyAny>>; 3],
        (py, threads): (Python<'py>, usize),
        body: impl FnOnce(&Input<'_>, &dyn Communicator) -> Result<R> + Send,
    ) -> PyResult<R> {
        let held = self.hold(py, Held::of(rows))?;
        let input = held.input(threads);
        self.run(py, |comm| body(&input, comm))
    }

    /// A collective call without the GIL.
    pub fn run<R: Send>(
        &self,
        py: Python<'_>,
        body: impl FnOnce(&dyn Communicator) -> Result<R> + Send,
    ) -> PyResult<R> {
        py.detach(|| collective(self.get(), body))
            .map_err(|error| raise(py, &error))
    }

    fn peer(&self, rank: usize) -> PyResult<usize> {
        if rank < self.inner.size() {
            return Ok(rank);
        }
        Err(PyValueError::new_err(format!("there is no rank {rank}")))
    }
}

#[pymethods]
impl Comm {
    /// My place.
    #[getter]
    fn rank(&self) -> usize {
        self.inner.rank()
    }

    /// Number of members.
    #[getter]
    fn size(&self) -> usize {
        self.inner.size()
    }

    /// What every rank said of itself when the communicator was first used.
    #[getter]
    fn node_info<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        self.node_info
            .iter()
            .map(|block| PyBytes::new(py, &block.0))
            .collect()
    }

    /// The header: the largest and the smallest share, columns, dtype, targets, whether there are
    /// weights and names, agreed on by all ranks; or the error of the lowest rank that failed or differs.
    #[pyo3(signature = (method, parameters, shape, dtype, targets, weighted, names, failure=None))]
    #[allow(clippy::too_many_arguments, clippy::type_complexity)] // the header's own
    fn agree(
        &self,
        py: Python<'_>,
        method: String,
        parameters: String,
        shape: (usize, usize),
        dtype: usize,
        targets: usize,
        weighted: bool,
        names: String,
        failure: Option<(String, String)>,
    ) -> PyResult<(usize, usize, usize, usize, usize, bool, bool)> {
        let facts = Facts {
            rows: shape.0,
            method,
            parameters,
            columns: shape.1,
            dtype,
            targets,
            weighted,
            names,
        };
        let mine = failure.map_or(Ok(()), |(kind, text)| Err(Error::Python { kind, text }));
        let agreed = self.run(py, |comm| comm.agree(&facts, mine))?;
        let (sizes, kinds) = ((agreed.most, agreed.least), (agreed.weighted, agreed.named));
        Ok((
            sizes.0,
            sizes.1,
            agreed.columns,
            agreed.dtype,
            agreed.targets,
            kinds.0,
            kinds.1,
        ))
    }

    /// Tells the other ranks that this one leaves the call under way, and why.
    fn abandon(&self, py: Python<'_>, kind: String, text: String) {
        py.detach(|| self.inner.abandon(&Error::Python { kind, text }));
    }

    /// Sums the numbers of all ranks, one by one.
    #[pyo3(signature = (values, /))]
    fn sum<'py>(
        &self,
        py: Python<'py>,
        values: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let mut values = values.as_array().to_vec();
        let values = self.run(py, |comm| comm.sum(&mut values).map(|()| values))?;
        Ok(values.into_pyarray(py))
    }

    /// The largest of the numbers of all ranks, one by one.
    #[pyo3(signature = (values, /))]
    fn max<'py>(
        &self,
        py: Python<'py>,
        values: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let mut values = values.as_array().to_vec();
        let values = self.run(py, |comm| comm.max(&mut values).map(|()| values))?;
        Ok(values.into_pyarray(py))
    }

    /// Every rank's bytes, in rank order.
    #[pyo3(signature = (block, /))]
    fn gather<'py>(&self, py: Python<'py>, block: Vec<u8>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let all = self.run(py, |comm| comm.gather(Block(block)))?;
        Ok(all.iter().map(|block| PyBytes::new(py, &block.0)).collect())
    }

    /// The bytes of one rank.
    #[pyo3(signature = (block, root=0))]
    fn broadcast<'py>(
        &self,
        py: Python<'py>,
        block: Vec<u8>,
        root: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let root = self.peer(root)?;
        let block = self.run(py, |comm| comm.broadcast(Block(block), root))?;
        Ok(PyBytes::new(py, &block.0))
    }

    /// The bytes of rank `source`, for mine to rank `dest`; all ranks together a permutation.
    fn exchange<'py>(
        &self,
        py: Python<'py>,
        block: Vec<u8>,
        dest: usize,
        source: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (dest, source) = (self.peer(dest)?, self.peer(source)?);
        let block = self.run(py, |comm| comm.exchange(dest, source, Block(block)))?;
        Ok(PyBytes::new(py, &block.0))
    }

    /// Bytes from each rank, for bytes to each.
    #[pyo3(signature = (blocks, /))]
    fn all_to_all<'py>(
        &self,
        py: Python<'py>,
        blocks: Vec<Vec<u8>>,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let blocks = blocks.into_iter().map(Block).collect();
        let all = self.run(py, |comm| comm.all_to_all(blocks))?;
        Ok(all.iter().map(|block| PyBytes::new(py, &block.0)).collect())
    }
}

/// One process.
#[pyfunction]
pub(super) fn solo() -> Comm {
    Comm {
        inner: Box::new(Solo),
        node_info: Vec::new(),
    }
}

/// A rank of a world of threads.
#[pyclass(frozen, module = "sklearnex_rs._core")]
pub struct ThreadRank(Threads);

#[pymethods]
impl ThreadRank {
    /// My place.
    #[getter]
    fn rank(&self) -> usize {
        self.0.rank()
    }

    /// Number of members.
    #[getter]
    fn size(&self) -> usize {
        self.0.size()
    }

    /// How many messages every rank has taken part in so far.
    #[getter]
    fn messages(&self) -> usize {
        self.0.messages()
    }

    /// The ranks for one call.
    fn join(&self, method: &str, timeout: Option<f64>) -> PyResult<Comm> {
        let inner = Box::new(self.0.within(method, seconds(timeout)?));
        Ok(Comm {
            inner: Faulty::wrap(inner, &fault()),
            node_info: Vec::new(),
        })
    }

    /// Makes no more calls.
    fn leave(&self) {
        self.0.leave();
    }
}

/// The ranks of a world of threads.
#[pyfunction]
pub(super) fn thread_ranks(size: usize) -> Vec<ThreadRank> {
    Threads::world(size).into_iter().map(ThreadRank).collect()
}

fn seconds(timeout: Option<f64>) -> PyResult<Option<Duration>> {
    let duration = timeout.map(Duration::try_from_secs_f64).transpose();
    duration.map_err(|error| PyValueError::new_err(format!("spmd_timeout: {error}")))
}

fn fault() -> String {
    std::env::var("SKLEARNEX_RS_FAULT").unwrap_or_default()
}

/// The ranks of mpi4py's communicator `comm`, for one call of `method`. The first call for a
/// communicator is collective, and brings what every rank says of itself.
#[pyfunction]
#[pyo3(signature = (comm, method, node_info, timeout, limit, serialized))]
pub(super) fn mpi(
    comm: &Bound<'_, PyAny>,
    method: &str,
    node_info: Vec<u8>,
    timeout: Option<f64>,
    limit: usize,
    serialized: bool,
) -> PyResult<Comm> {
    let py = comm.py();
    let module = py.import("mpi4py.MPI")?.into_any();
    adopt(&module)?;
    let user: usize = module.call_method1("_handleof", (comm,))?.extract()?;
    let watch = || Python::attach(|py| py.check_signals().map_err(|error| caught(py, &error)));
    let options = Options {
        clock: comm::Clock::new(method, seconds(timeout)?),
        limit,
        serialized,
        watch: Box::new(watch),
    };
    let joined = py.detach(|| Mpi::join(user, &Block(node_info), options));
    let Join { comm, node_info } = joined.map_err(|error| raise(py, &error))?;
    Ok(Comm {
        inner: Faulty::wrap(Box::new(comm), &fault()),
        node_info: node_info.to_vec(),
    })
}

/// Hands over the library that mpi4py is bound to, once.
fn adopt(module: &Bound<'_, PyAny>) -> PyResult<()> {
    static READY: PyOnceLock<()> = PyOnceLock::new();
    let py = module.py();
    let adopted = READY.get_or_try_init(py, || {
        let file = CString::new(module.getattr("__file__")?.extract::<String>()?)?;
        // SAFETY: Python has imported this very file, and NOLOAD runs no code: it counts a reference, which
        // is never given back; `file` ends with a nul. dlsym on the handle searches the module's own
        // dependencies: mpi4py's libmpi.
        let dl = unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
        if dl.is_null() {
            return Err(PyRuntimeError::new_err("mpi4py.MPI is not a shared object"));
        }
        let size = |class: &str| -> PyResult<usize> {
            module
                .call_method1("_sizeof", (module.getattr(class)?,))?
                .extract()
        };
        let library = Library {
            dl: dl as usize,
            handle_bytes: size("Comm")?,
            status_bytes: size("Status")?,
            status_fields: status_fields(module, size("Status")?)?,
        };
        // SAFETY: the sizes, fields and constants are mpi4py's, of the library that `dl` leads to. `READY`
        // lets this run once, with others waiting, before `Mpi::join`, which is the only way to this
        // crate's other uses of MPI.
        unsafe { comm::adopt(library, |name| constant(module, name)) }
    });
    adopted.copied()
}

/// A handle or a number, by its name in mpi4py.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // bits, whatever they mean
fn constant(module: &Bound<'_, PyAny>, name: &str) -> PyResult<usize> {
    let value = module.getattr(name)?;
    if value.hasattr("__int__")? {
        return Ok(value.call_method0("__int__")?.extract::<i64>()? as usize);
    }
    module.call_method1("_handleof", (value,))?.extract()
}

/// Where an `MPI_Status` has its source, tag and error: found by writing them, not by a table.
fn status_fields(module: &Bound<'_, PyAny>, bytes: usize) -> PyResult<[usize; 3]> {
    const MARKS: [c_int; 3] = [1_234_567, 1_234_568, 1_234_569];
    let status = module.getattr("Status")?.call0()?;
    for (set, mark) in ["Set_source", "Set_tag", "Set_error"].iter().zip(MARKS) {
        status.call_method1(*set, (mark,))?;
    }
    let at: usize = module.call_method1("_addressof", (&status,))?.extract()?;
    // SAFETY: mpi4py says where its `MPI_Status` is, and that it has `bytes` bytes (a C struct of `int`s,
    // so aligned), which its constructor set; `status` keeps it until the end of this function.
    let ints = unsafe { std::slice::from_raw_parts(at as *const c_int, bytes / 4) };
    match MARKS.map(|mark| ints.iter().position(|int| *int == mark)) {
        [Some(source), Some(tag), Some(error)] => Ok([source, tag, error]),
        _ => Err(PyRuntimeError::new_err("MPI_Status has an unknown layout")),
    }
}
