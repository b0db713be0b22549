//! The log of one action: bounded, and safe to print on a terminal.
//!
//! Knows bytes and terminal escapes. Must never know who wrote them.

use std::collections::VecDeque;

/// The end of a long log is kept too: that is where the error is.
const TAIL: u64 = 256 << 10;
/// An escape string (a window title, a link) longer than this is text again,
/// so that one unfinished escape cannot swallow a log.
const LONGEST_STRING: u32 = 8192;

/// Collects output, strips terminal escapes, keeps the first and last bytes.
pub struct Log {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    head_limit: usize,
    tail_limit: usize,
    dropped: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Text,
    /// After `\r`: a line end if `\n` follows, else a line of its own.
    Return,
    /// After byte C2: a C1 control may follow.
    C2,
    Escape,
    Control,
    /// In an OSC, DCS, APC, PM or SOS string: bytes so far.
    Str(u32),
    /// In a string, after ESC.
    StrEscape(u32),
}

impl Log {
    /// A log of at most `limit` bytes.
    pub fn new(limit: u64) -> Self {
        let tail = TAIL.min(limit / 4);
        Self {
            head: Vec::new(),
            tail: VecDeque::new(),
            head_limit: usize::try_from(limit - tail).unwrap_or(usize::MAX),
            tail_limit: usize::try_from(tail).unwrap_or(usize::MAX),
            dropped: 0,
            state: State::Text,
        }
    }

    /// Adds output as it came.
    pub fn write(&mut self, bytes: &[u8]) {
        let mut clean = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            if self.state == State::Text {
                let plain = plain_prefix(rest);
                if plain > 0 {
                    clean.extend_from_slice(&rest[..plain]);
                    rest = &rest[plain..];
                    continue;
                }
            }
            self.state = step(self.state, byte, &mut clean);
            rest = after;
        }
        self.keep(&clean);
    }

    fn keep(&mut self, clean: &[u8]) {
        let fits = (self.head_limit - self.head.len()).min(clean.len());
        let (first, rest) = clean.split_at(fits);
        self.head.extend_from_slice(first);
        if rest.is_empty() {
            return;
        }
        let start = rest.len().saturating_sub(self.tail_limit);
        self.dropped += start as u64;
        let rest = &rest[start..];
        let over = (self.tail.len() + rest.len()).saturating_sub(self.tail_limit);
        self.tail.drain(..over);
        self.dropped += over as u64;
        self.tail.extend(rest);
    }

    /// The text and how many bytes of it were dropped. A gap is named in the text.
    pub fn finish(mut self) -> (Vec<u8>, u64) {
        if self.state == State::C2 {
            self.keep(&[0xc2]);
        }
        let mut text = self.head;
        if self.dropped > 0 {
            text.extend_from_slice(format!("\n[{} bytes of log dropped here]\n", self.dropped).as_bytes());
        }
        text.extend(self.tail);
        (text, self.dropped)
    }
}

/// How many bytes in front are, eight at a time, printable ASCII or newlines:
/// nearly everything a build says.
fn plain_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x80 * ONES;
    let strange = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        let low = word & !TOPS;
        let control = !(low + 0x60 * ONES);
        let delete = low + ONES;
        let newline = !((low ^ (0x0a * ONES)) + 0x7f * ONES);
        (word | delete | (control & !newline)) & TOPS != 0
    };
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().take_while(|word| !strange(word)).count() * 8
}

fn step(state: State, byte: u8, out: &mut Vec<u8>) -> State {
    match state {
        State::Text => text(byte, out),
        State::Return => {
            if byte != b'\n' {
                out.push(b'\n');
            }
            text(byte, out)
        }
        State::C2 => match byte {
            0x9b => State::Control,
            0x90 | 0x98 | 0x9d..=0x9f => State::Str(0),
            0x80..=0x9f => State::Text,
            _ => {
                out.push(0xc2);
                text(byte, out)
            }
        },
        State::Escape => match byte {
            b'[' => State::Control,
            b']' | b'P' | b'X' | b'^' | b'_' => State::Str(0),
            0x20..=0x2f => State::Escape,
            0x30..=0x7e => State::Text,
            _ => text(byte, out),
        },
        State::Control => match byte {
            0x20..=0x3f => State::Control,
            0x40..=0x7e => State::Text,
            _ => text(byte, out),
        },
        State::Str(n) => match byte {
            0x07 => State::Text,
            0x1b => State::StrEscape(n),
            b'\n' => text(byte, out),
            _ if n >= LONGEST_STRING => text(byte, out),
            _ => State::Str(n + 1),
        },
        State::StrEscape(n) => match byte {
            b'\\' => State::Text,
            b'\n' => text(byte, out),
            _ => State::Str(n + 1),
        },
    }
}

fn text(byte: u8, out: &mut Vec<u8>) -> State {
    match byte {
        b'\r' => return State::Return,
        0x1b => return State::Escape,
        0xc2 => return State::C2,
        b'\n' | b'\t' => out.push(byte),
        0x00..=0x1f | 0x7f => {}
        _ => out.push(byte),
    }
    State::Text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(pieces: &[&str]) -> String {
        let mut log = Log::new(1 << 20);
        for piece in pieces {
            log.write(piece.as_bytes());
        }
        String::from_utf8(log.finish().0).unwrap()
    }

    #[test]
    fn escapes_are_stripped_even_when_cut_in_two() {
        assert_eq!(clean(&["\x1b[1;3", "1mred\x1b[0m é\n"]), "red é\n");
        assert_eq!(clean(&["a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c"]), "abc");
        assert_eq!(clean(&["\u{9b}31mx\u{9d}title\x07y"]), "xy");
        assert_eq!(clean(&["\x1b(Bok\x1b=\x08\x07"]), "ok");
    }

    #[test]
    fn line_ends_become_newlines() {
        assert_eq!(clean(&["10%\r20%\r", "\ndone\r\n"]), "10%\n20%\ndone\n");
    }

    #[test]
    fn an_unfinished_string_does_not_swallow_the_log() {
        assert_eq!(clean(&["\x1b]0;never ends\nerror: x\n"]), "\nerror: x\n");
    }

    #[test]
    fn every_byte_is_treated_alike_wherever_it_stands() {
        for byte in 0..=255u8 {
            let mut one_by_one = Log::new(1000);
            let mut at_once = Log::new(1000);
            let mut line = b"0123456789\n".to_vec();
            line.push(byte);
            line.extend_from_slice(b"abcdefghijklmnop");
            at_once.write(&line);
            line.iter().for_each(|&b| one_by_one.write(&[b]));
            assert_eq!(at_once.finish(), one_by_one.finish(), "{byte:#x}");
        }
    }

    #[test]
    fn a_long_log_keeps_both_ends_and_counts() {
        let mut log = Log::new(1000);
        for i in 0..1000 {
            log.write(format!("line {i:04}\n").as_bytes());
        }
        let (text, dropped) = log.finish();
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("line 0000\n"));
        assert!(text.ends_with("line 0999\n"));
        assert_eq!(dropped, 9000);
        assert!(text.contains("[9000 bytes of log dropped here]"));
    }
}
