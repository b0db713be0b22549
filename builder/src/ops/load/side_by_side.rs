//! Small work of many pieces on a few threads that last no longer than it.
//!
//! Knows what a thread costs beside a file that is read. Must never know what
//! is done.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::exec::{Filling, fill_heap, roomy_heap};

/// So many files are worth another thread: it costs what some of them do.
const WORTH_A_THREAD: usize = 40;
/// Each thread takes about so many parts: none waits long for a slower one.
const PARTS: usize = 8;
/// What is made of so many files has tens of megabytes.
const WORTH_ROOM: usize = 2000;
/// A plan of a file takes about as many bytes beside what the file itself took.
const OF_A_FILE: usize = 4 << 10;
/// More threads than this wait for the disk and for each other.
const MOST_THREADS: usize = 8;

/// `f` of each, in order. With threads of its own: to start rayon's, one for
/// each processor, takes longer than to read a hundred recipes.
pub fn side_by_side<T: Sync, R: Send>(cpus: usize, of: &[T], f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = (of.len() / WORTH_A_THREAD).min(cpus).clamp(1, MOST_THREADS);
    if of.len() >= WORTH_ROOM {
        roomy_heap();
    }
    if threads == 1 {
        return of.iter().map(f).collect();
    }
    let parts: Vec<&[T]> = of.chunks(of.len().div_ceil(threads * PARTS)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done: Vec<(usize, Vec<R>)> = Vec::with_capacity(parts.len());
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = parts.get(n) else { return done };
            done.push((n, part.iter().map(&f).collect()));
        }
    };
    let on_a_thread = || {
        if of.len() >= WORTH_ROOM {
            roomy_heap();
        }
        work()
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(on_a_thread)).collect();
        let mut done = work();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(n, _)| *n);
    let mut out = Vec::with_capacity(of.len());
    done.into_iter().for_each(|(_, part)| out.extend(part));
    out
}

/// That so many files were read, and only one of several processors has work
/// now: until it has work for them, too, the others make the room ready that
/// their plan will take.
pub fn read_many(cpus: usize, files: usize) -> Option<Filling> {
    (files >= WORTH_ROOM && cpus > 1).then(|| fill_heap(files * OF_A_FILE))
}

#[cfg(test)]
mod tests {
    use super::side_by_side;

    #[test]
    fn what_is_done_side_by_side_comes_back_in_order() {
        for many in [0, 1, 79, 80, 81, 1000] {
            let of: Vec<usize> = (0..many).collect();
            for cpus in [1, 2, 64] {
                assert_eq!(side_by_side(cpus, &of, |i| i + 1), (1..=many).collect::<Vec<_>>());
            }
        }
    }
}
