//! The executor's contract: each case at each level that promises it, as root
//! and as an ordinary user.

mod basics;
mod bench;
mod bounds;
mod ending;
mod hiding;
mod refusing;
mod serving;
mod telling;
