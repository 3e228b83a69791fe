//! How many threads, and their pools.

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::{Mutex, PoisonError};

/// Pools by process and number of threads: a forked child has none of its parent's threads.
static POOLS: Mutex<Vec<(u32, usize, &'static ThreadPool)>> = Mutex::new(Vec::new());

/// The pool of that many threads; none for one thread, or where none can be started.
pub(super) fn of(threads: usize) -> Option<&'static ThreadPool> {
    if threads < 2 {
        return None;
    }
    let process = std::process::id();
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = pools
        .iter()
        .find(|(id, n, _)| (*id, *n) == (process, threads));
    if let Some((_, _, pool)) = known {
        return Some(*pool);
    }
    let name = |i| format!("sklearnex_rs-{i}");
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(name)
        .build();
    let pool: &'static ThreadPool = Box::leak(Box::new(pool.ok()?));
    pools.push((process, threads, pool));
    Some(pool)
}

/// How many threads a rank should use: over the cpus of its mask, the sum of one over the ranks of
/// its node whose mask holds that cpu; rounded down, at least one, and at most its share of the
/// quota. `masks` are those of all ranks on the node, `mine` among them at `rank`; `others` ranks
/// are there whose masks are not known: they are taken to share mine where it is the whole node.
pub fn threads_for(
    masks: &[Vec<usize>],
    rank: usize,
    others: usize,
    node: usize,
    quota: Option<f64>,
) -> usize {
    let mine = &masks[rank];
    let strangers = if mine.len() >= node { others } else { 0 };
    let holders = |cpu: &usize| masks.iter().filter(|mask| mask.contains(cpu)).count() + strangers;
    let share: f64 = mine.iter().map(|cpu| 1.0 / holders(cpu) as f64).sum();
    let quota = quota.map_or(f64::INFINITY, |quota| quota / (masks.len() + others) as f64);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small and positive
    let threads = (share.min(quota) + 1e-9).floor() as usize;
    threads.max(1)
}
