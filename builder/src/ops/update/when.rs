//! How old a release must be: `7d`, as a moment.
//!
//! Knows the calendar. Must never look at a clock.

use crate::error::{Error, Result};
use crate::ops::add::check_day;

const DAY: u64 = 86_400;

/// The last moment of uploads that are looked at, for what is asked: at least
/// so old (`7d`), and not after a date.
pub fn last_moment(cooldown: Option<&str>, exclude_newer: Option<&str>, now: u64) -> Result<Option<String>> {
    if let Some(day) = exclude_newer {
        check_day(day)?;
    }
    let ripe = cooldown.map(seconds).transpose()?.map(|age| moment(now.saturating_sub(age)));
    // A day lasts to its end.
    let end = |text: &str| if text.len() > 10 { text.to_owned() } else { format!("{text}T23:59:59Z") };
    Ok(match (ripe, exclude_newer) {
        (Some(ripe), Some(day)) if end(day) < ripe => Some(day.to_owned()),
        (Some(ripe), _) => Some(ripe),
        (None, day) => day.map(str::to_owned),
    })
}

/// `7d`, `12h`, `2w`; a bare number is of days.
fn seconds(text: &str) -> Result<u64> {
    let wrong = || {
        Error::input(format!("`{text}` is no age"))
            .hint("write a number of days, weeks or hours: 7d, 2w, 12h")
    };
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "" | "d" => DAY,
        "w" => 7 * DAY,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).ok_or_else(wrong)
}

/// `2026-01-31T12:00:00Z`.
fn moment(seconds: u64) -> String {
    let (days, rest) = (seconds / DAY, seconds % DAY);
    // Days since 0000-03-01, in the calendar whose year begins in March.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let m = (5 * of_year + 2) / 153;
    let day = of_year - (153 * m + 2) / 5 + 1;
    let month = if m < 10 { m + 3 } else { m - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-02-29T12:00:00Z.
    const NOW: u64 = 1_709_208_000;

    #[test]
    fn an_age_is_a_moment() {
        let at = |cooldown: &str| last_moment(Some(cooldown), None, NOW).unwrap().unwrap();
        assert_eq!(at("0d"), "2024-02-29T12:00:00Z");
        assert_eq!(at("7d"), "2024-02-22T12:00:00Z");
        assert_eq!(at("60"), "2023-12-31T12:00:00Z");
        assert_eq!(at("2w"), "2024-02-15T12:00:00Z");
        assert_eq!(at("36h"), "2024-02-28T00:00:00Z");
        assert_eq!(at("99999d"), "1970-01-01T00:00:00Z");
        for wrong in ["", "d", "7 days", "-1d", "7m", "99999999999999999999d"] {
            assert!(last_moment(Some(wrong), None, NOW).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_earlier_of_both_counts() {
        let at = |day: &str| last_moment(Some("7d"), Some(day), NOW).unwrap().unwrap();
        assert_eq!(at("2024-02-21"), "2024-02-21");
        assert_eq!(at("2024-02-22"), "2024-02-22T12:00:00Z");
        assert_eq!(at("2024-02-22T11:59:59Z"), "2024-02-22T11:59:59Z");
        assert_eq!(last_moment(None, Some("2024-02-21"), NOW).unwrap().unwrap(), "2024-02-21");
        assert_eq!(last_moment(None, None, NOW).unwrap(), None);
        assert!(last_moment(None, Some("May"), NOW).is_err());
    }
}
