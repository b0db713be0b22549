//! What the heap of our own process keeps for later.
//!
//! Knows the C library's allocator, which by itself gives each thread an arena
//! of its own and learns to keep large buffers: a run of many short-lived
//! threads then holds several times of what it uses. Must never know what the
//! memory is used for.

/// Beyond this many arenas threads hardly wait for each other.
const MOST_ARENAS: usize = 8;
/// Buffers from this size on are given back when they are freed.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 256 << 10;
/// Free memory at the end of an arena beyond this is given back.
#[cfg(target_env = "gnu")]
const SPARE: libc::c_int = 1 << 20;

/// So much more is taken than is asked for: a heap grows in steps of a page
/// otherwise, with a call of the kernel for each. What is not used costs nothing.
#[cfg(target_env = "gnu")]
const AHEAD: libc::c_int = 1 << 20;

/// One for each processor, and one for a thread that waits for something else.
fn arenas(processors: usize) -> usize {
    (processors + 1).clamp(2, MOST_ARENAS)
}

/// See `exec::local::share_heap`.
pub fn share_heap() {
    let processors = rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count() as usize);
    let arenas = arenas(processors);
    #[cfg(target_env = "gnu")]
    // SAFETY: the first statement of the program; no other thread allocates.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, arenas as libc::c_int);
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, SPARE + AHEAD);
        libc::mallopt(libc::M_TOP_PAD, AHEAD);
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = arenas;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_machine_has_few_arenas_and_a_large_one_not_many() {
        assert_eq!([1, 2, 4, 64].map(arenas), [2, 3, 5, 8]);
    }
}
