//! Times of a `schedule:`: five fields, or a word such as `@daily`, in UTC or a named zone.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// A time that comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    zone: TimeZone,
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

/// The values of a field, one bit each, and whether it was given as `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    bits: u64,
    any: bool,
}

/// A time that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schedule `{0}` is not five fields of numbers")]
pub struct CronError(String);

impl Cron {
    /// Reads a time: minute, hour, day of the month, month, day of the week.
    ///
    /// # Errors
    /// [`CronError`] when there are not five fields, or a number is out of range.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        Self::read(text).ok_or_else(|| CronError(text.to_owned()))
    }

    fn read(text: &str) -> Option<Self> {
        let (zone, rest) = zone(text.trim())?;
        let rest = match rest {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else {
            return None;
        };
        let mut weekdays = field(weekdays, 0, 7, &DAYS)?;
        weekdays.bits = (weekdays.bits | weekdays.bits >> 7) & 0x7f;
        Some(Self {
            text: text.to_owned(),
            zone,
            minutes: field(minutes, 0, 59, &[])?,
            hours: field(hours, 0, 23, &[])?,
            days: field(days, 1, 31, &[])?,
            months: field(months, 1, 12, &MONTHS)?,
            weekdays,
        })
    }

    /// As it stood in the file.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first such time after `after`, or `None` when there is none within five years.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        const YEARS_MAX: i16 = 5;
        let start = after.to_zoned(self.zone.clone()).datetime();
        let mut at = start.with().second(0).subsec_nanosecond(0).build().ok()?;
        at = at.checked_add(1.minute()).ok()?;
        let limit = start.year() + YEARS_MAX;
        while at.year() <= limit {
            at = if !self.months.has(at.month()) {
                midnight(at.first_of_month()).checked_add(1.month()).ok()?
            } else if !self.fits_day(at) {
                midnight(at).checked_add(1.day()).ok()?
            } else if !self.hours.has(at.hour()) {
                at.with()
                    .minute(0)
                    .build()
                    .ok()?
                    .checked_add(1.hour())
                    .ok()?
            } else if !self.minutes.has(at.minute()) {
                at.checked_add(1.minute()).ok()?
            } else {
                return at
                    .to_zoned(self.zone.clone())
                    .ok()
                    .map(|zoned| zoned.timestamp());
            };
        }
        None
    }

    /// When both days are given, either will do.
    fn fits_day(&self, at: DateTime) -> bool {
        let day = self.days.has(at.day());
        let weekday = self.weekdays.has(at.weekday().to_sunday_zero_offset());
        if self.days.any || self.weekdays.any {
            day && weekday
        } else {
            day || weekday
        }
    }
}

impl Field {
    fn has(self, value: i8) -> bool {
        u32::try_from(value).is_ok_and(|bit| self.bits >> bit & 1 == 1)
    }
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

fn midnight(at: DateTime) -> DateTime {
    at.date().at(0, 0, 0, 0)
}

/// `TZ=Europe/Berlin …` and `CRON_TZ=…`.
fn zone(text: &str) -> Option<(TimeZone, &str)> {
    let Some(named) = text
        .strip_prefix("CRON_TZ=")
        .or_else(|| text.strip_prefix("TZ="))
    else {
        return Some((TimeZone::UTC, text));
    };
    let (name, rest) = named.split_once(' ')?;
    Some((TimeZone::get(name).ok()?, rest.trim_start()))
}

/// `*`, `*/5`, `1-5`, `1-5/2`, `3/5`, `1,2`, and names where there are some.
fn field(text: &str, low: u32, high: u32, names: &[&str]) -> Option<Field> {
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u32>().ok().filter(|s| *s > 0)?)),
            None => (part, None),
        };
        let (from, to) = if range == "*" || range == "?" {
            (low, high)
        } else if let Some((from, to)) = range.split_once('-') {
            (number(from, low, names)?, number(to, low, names)?)
        } else {
            let from = number(range, low, names)?;
            (from, if step.is_some() { high } else { from })
        };
        if from < low || to > high || from > to {
            return None;
        }
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        bits |= (from..=to)
            .step_by(step)
            .fold(0, |bits, value| bits | 1_u64 << value);
    }
    Some(Field {
        bits,
        any: text.starts_with(['*', '?']),
    })
}

fn number(text: &str, low: u32, names: &[&str]) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    if let Some(at) = names.iter().position(|name| *name == lower) {
        return u32::try_from(at).ok().map(|at| at + low);
    }
    text.parse().ok()
}
