//! What the heap of our own process keeps for later.
//!
//! Knows the C library's allocator, which by itself gives each thread an arena
//! of its own and learns to keep large buffers: a run of many short-lived
//! threads then holds several times of what it uses. Must never know what the
//! memory is used for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Beyond this many arenas threads hardly wait for each other.
const MOST_ARENAS: usize = 8;
/// Buffers from this size on are given back when they are freed.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 1 << 20;
/// Free memory at the end of an arena beyond this is given back.
#[cfg(target_env = "gnu")]
const SPARE: libc::c_int = 3 << 20;

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

/// By how much a roomy heap grows: address space, not memory. A thread's
/// arena of the C library is at most this large, and begins at a multiple.
#[cfg(target_env = "gnu")]
const ROOM: usize = 64 << 20;
/// The same for the main thread, whose heap is the data segment: there it may
/// be more, and what comes later has no large pages.
#[cfg(target_env = "gnu")]
const MAIN_ROOM: usize = 128 << 20;
/// The largest buffer that the library takes from a heap at all: one of its
/// own would have no large pages.
#[cfg(target_env = "gnu")]
const LARGEST: libc::c_int = 32 << 20;
/// What a thread's heap is made to hold at once: less than [`LARGEST`], and
/// not quite all of half of its room, in which it has its own notes.
#[cfg(target_env = "gnu")]
const MUCH: usize = 30 << 20;
/// Some of these are more than what is free at the end of a heap that did not
/// grow yet; by itself the library takes what has 128 kB from no heap at all.
#[cfg(target_env = "gnu")]
const PROBE: usize = 100 << 10;
/// A multiple of what a page has anywhere.
#[cfg(target_env = "gnu")]
const PAGES: usize = 64 << 10;
/// So many of these are no longer worth a search for its end.
#[cfg(target_env = "gnu")]
const MOST_PROBES: usize = 16;

/// See `exec::local::roomy_heap`.
#[cfg(target_env = "gnu")]
pub fn roomy_heap() {
    let mut probes: Vec<Vec<u8>> = Vec::new();
    // SAFETY: settings of the allocator, the end of the data segment, and
    // advice about pages, which changes nothing of what is in them.
    unsafe {
        libc::mallopt(libc::M_TOP_PAD, MAIN_ROOM as libc::c_int);
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST);
        let before = libc::sbrk(0);
        probes.push(Vec::with_capacity(PROBE));
        let at = probes[0].as_ptr() as usize;
        // Threads' heaps lie above the data segment.
        let (from, until) = if at < before as usize || at < libc::sbrk(0) as usize {
            while libc::sbrk(0) == before && probes.len() < MOST_PROBES {
                probes.push(Vec::with_capacity(PROBE));
            }
            (at, libc::sbrk(0) as usize)
        } else {
            // One that was begun with less room grows by a page at a time, with
            // a call for each, and has no large pages at all: so, once, by much.
            probes.push(Vec::with_capacity(MUCH));
            let from = probes[1].as_ptr() as usize & !(ROOM - 1);
            (from, from + ROOM)
        };
        let from = from.next_multiple_of(PAGES);
        // Without large pages it is as it was.
        libc::madvise(from as *mut libc::c_void, until.saturating_sub(from), libc::MADV_HUGEPAGE);
    }
}

/// As much is filled at a time: a large page.
#[cfg(target_env = "gnu")]
const PIECE: usize = 2 << 20;

/// See `exec::local::fill_heap`.
#[cfg(target_env = "gnu")]
pub fn fill_heap(bytes: usize, enough: Arc<AtomicBool>) {
    // At the end of the heap, where what comes next will lie: no piece that is
    // free within it has so much.
    let probe: Vec<u8> = Vec::with_capacity(bytes.min(MUCH));
    let at = probe.as_ptr() as usize;
    // SAFETY: only asks where the data segment ends.
    let end = unsafe { libc::sbrk(0) } as usize;
    let pieces = (at.next_multiple_of(PIECE)..end.min(at.saturating_add(bytes))).step_by(PIECE);
    let fill = move || {
        let wanted = |piece: &usize| piece + PIECE <= end && !enough.load(Ordering::Relaxed);
        for piece in pieces.take_while(wanted) {
            // SAFETY: pages are there afterwards as if they had been written
            // to; nothing in them changes. Where no memory is any more, or the
            // kernel does not know the advice, it says so.
            let done = unsafe { libc::madvise(piece as *mut libc::c_void, PIECE, libc::MADV_POPULATE_WRITE) };
            if done != 0 {
                return;
            }
        }
    };
    // Without the thread each page comes when it is used.
    let _ = std::thread::Builder::new().name("heap".to_owned()).spawn(fill);
}

/// The allocator has ways of its own.
#[cfg(not(target_env = "gnu"))]
pub fn fill_heap(_bytes: usize, _enough: Arc<AtomicBool>) {}

/// The allocator has ways of its own.
#[cfg(not(target_env = "gnu"))]
pub fn roomy_heap() {}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel says of the mapping of an address.
    #[cfg(target_env = "gnu")]
    fn flags_of(address: usize) -> String {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let bounds =
                range.map(|(from, to)| (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16)));
            if let Some((Ok(from), Ok(to))) = bounds {
                inside = (from..to).contains(&address);
            } else if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| inside) {
                return flags.to_owned();
            }
        }
        panic!("{address:x} is mapped nowhere");
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn a_roomy_heap_has_large_pages_and_keeps_what_is_in_it() {
        let there = std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists();
        let many = || (0..5000_usize).map(|n| vec![n; 20 + n % 7]).collect::<Vec<Vec<usize>>>();
        let before = many();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                roomy_heap();
                let after = many();
                assert_eq!(after, before);
                let flags = flags_of(after[4999].as_ptr() as usize);
                assert!(!there || flags.contains(" hg"), "{flags}");
            });
        });
        assert_eq!(before, many());
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn what_is_in_the_heap_stays_while_it_is_filled() {
        let many =
            |from: usize| (from..from + 5000).map(|n| vec![n; 20 + n % 7]).collect::<Vec<Vec<usize>>>();
        let before = many(0);
        fill_heap(64 << 20, Arc::default());
        let after = many(5000);
        assert_eq!((before, after), (many(0), many(5000)));
    }

    #[test]
    fn a_small_machine_has_few_arenas_and_a_large_one_not_many() {
        assert_eq!([1, 2, 4, 64].map(arenas), [2, 3, 5, 8]);
    }
}
