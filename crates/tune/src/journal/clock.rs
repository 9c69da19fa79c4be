//! The time of day as journals write it: `2026-11-21T12:43:59.012345+00:00`.

use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn now() -> String {
    // A clock before 1970 is wrong anyway.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    stamp(since.as_secs(), since.subsec_micros())
}

fn stamp(seconds: u64, micros: u32) -> String {
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}+00:00")
}

/// Year, month and day, that many days after 1970-01-01.
///
/// Years are counted from March, so that the leap day comes last and the months before it follow a pattern of 153 days
/// in five months; 400 years have 146 097 days.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        assert_eq!(stamp(0, 0), "1970-01-01T00:00:00.000000+00:00");
        assert_eq!(stamp(951_827_696, 5), "2000-02-29T12:34:56.000005+00:00");
        assert_eq!(stamp(4_107_542_399, 999_999), "2100-02-28T23:59:59.999999+00:00");
        // Every day from 1970 to 2470, counted the slow way.
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..182_621 {
            assert_eq!(date(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month as usize - 1];
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
