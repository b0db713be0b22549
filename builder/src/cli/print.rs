//! Every line that leaves the program: results to standard output, talk to
//! standard error.
//!
//! Knows the two streams, and that names and texts of strangers are in what is
//! said: nothing that a terminal would act on leaves. A closed pipe is no
//! error. Must never know what is said.

use std::io::Write as _;

use crate::error::printable;

/// A result line. A reader that went away is no error.
pub fn result(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", printable(text));
}

/// A result text that ends its own lines.
pub fn result_text(text: &str) {
    let _ = std::io::stdout().lock().write_all(printable(text).as_bytes());
}

/// A line of talk.
pub fn talk(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", printable(text));
}

/// Talk that ends its own lines.
pub fn talk_text(text: &str) {
    let _ = std::io::stderr().lock().write_all(printable(text).as_bytes());
}
