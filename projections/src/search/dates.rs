//! The dates and time spans that a search may write, all in UTC.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, Weekday};

/// How long a day is.
pub(super) const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// How many days back a weekday's name reaches, today included.
const DAYS_OF_WEEK: u64 = 7;

const DATE_FORMATS: [&str; 5] = ["%Y-%m-%d", "%m/%d/%y", "%m/%d/%Y", "%B %d, %Y", "%d %B %Y"];
const TIME_FORMATS: [&str; 4] = ["%H:%M:%S%.f", "%H:%M", "%I:%M:%S %p", "%I:%M %p"];

/// The moment a text names, in microseconds since the epoch; a day alone is its midnight.
///
/// It may be `today`, `yesterday`, the name of a weekday (its latest occurrence, today included), RFC 3339, or a date
/// such as `10/20/2013`, `Oct 20, 2013` or `2013-10-20` with or without a time behind it.
pub(super) fn parse_date(text: &str, now_micros: i64) -> Option<i64> {
    let text = text.trim();
    if let Some(day) = named_day(text, now_micros) {
        return Some(midnight(day));
    }
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.timestamp_micros());
    }
    let moment = DATE_FORMATS.iter().find_map(|date| {
        let day = NaiveDate::parse_from_str(text, date).ok().and_then(|day| day.and_hms_opt(0, 0, 0));
        day.or_else(|| {
            TIME_FORMATS.iter().find_map(|time| {
                ["{date} {time}", "{date}T{time}"].iter().find_map(|shape| {
                    let format = shape.replace("{date}", date).replace("{time}", time);
                    NaiveDateTime::parse_from_str(text, &format).ok()
                })
            })
        })
    })?;
    Some(moment.and_utc().timestamp_micros())
}

fn named_day(text: &str, now_micros: i64) -> Option<NaiveDate> {
    let today = DateTime::from_timestamp_micros(now_micros)?.date_naive();
    if text.eq_ignore_ascii_case("today") {
        return Some(today);
    }
    if text.eq_ignore_ascii_case("yesterday") {
        return today.pred_opt();
    }
    let weekday: Weekday = text.parse().ok()?;
    (0..DAYS_OF_WEEK).filter_map(|back| today.checked_sub_days(Days::new(back))).find(|day| day.weekday() == weekday)
}

fn midnight(day: NaiveDate) -> i64 {
    day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros()
}

/// The midnight before `micros`.
pub(super) fn start_of_day(micros: i64) -> i64 {
    micros - micros.rem_euclid(DAY_MICROS)
}

/// The seconds of a time span `[days.]hours:minutes:seconds`.
pub(super) fn parse_time_span(text: &str) -> Option<i64> {
    let number = |digits: &str| -> Option<i64> {
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        digits.parse::<u32>().ok().map(i64::from)
    };
    let (days, time) = match text.trim().split_once('.') {
        Some((days, time)) => (number(days)?, time),
        None => (0, text.trim()),
    };
    let mut parts = time.split(':');
    let (hours, minutes, seconds) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    if parts.next().is_some() || hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    Some(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wednesday 2013-10-23 15:00:00 UTC.
    const NOW: i64 = 1_382_540_400_000_000;

    #[test]
    fn dates_are_read_in_every_spelling() {
        let table = [
            ("today", "2013-10-23T00:00:00Z"),
            ("Yesterday", "2013-10-22T00:00:00Z"),
            ("wednesday", "2013-10-23T00:00:00Z"),
            ("Thursday", "2013-10-17T00:00:00Z"),
            ("10/20/2013", "2013-10-20T00:00:00Z"),
            ("10/20/13", "2013-10-20T00:00:00Z"),
            ("10/20/13 3:04 PM", "2013-10-20T15:04:00Z"),
            ("Oct 20, 2013", "2013-10-20T00:00:00Z"),
            ("October 20, 2013 3:04:05 PM", "2013-10-20T15:04:05Z"),
            ("2013-10-20", "2013-10-20T00:00:00Z"),
            ("2013-10-20 12:30", "2013-10-20T12:30:00Z"),
            ("2013-10-20 12:30:01", "2013-10-20T12:30:01Z"),
            ("2013-10-20T12:30:01", "2013-10-20T12:30:01Z"),
            ("2013-10-20T12:30:01.250+02:00", "2013-10-20T10:30:01.250Z"),
        ];
        for (text, expected) in table {
            let expected = DateTime::parse_from_rfc3339(expected).unwrap().timestamp_micros();
            assert_eq!(parse_date(text, NOW), Some(expected), "{text}");
        }
        for text in ["", "tomorrow", "13/13/2013", "2013-02-30", "20", "2013-10-20 25:00"] {
            assert_eq!(parse_date(text, NOW), None, "{text}");
        }
    }

    #[test]
    fn time_spans_are_read() {
        assert_eq!(parse_time_span("01:02:03"), Some(3723));
        assert_eq!(parse_time_span("2.00:00:01"), Some(172_801));
        for text in ["", "1", "1:2", "1:2:3:4", "24:00:00", "0:60:0", "-1:0:0", "1.", "+1:0:0"] {
            assert_eq!(parse_time_span(text), None, "{text}");
        }
    }
}
