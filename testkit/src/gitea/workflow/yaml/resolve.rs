//! What a plain scalar is read as, by the rules of the YAML library that the real server uses.

use std::cmp::Ordering;

/// The value of a plain scalar.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::gitea::workflow) enum Resolved {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

/// Reads a plain scalar.
pub(in crate::gitea::workflow) fn resolve(text: &str) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        "true" | "True" | "TRUE" => return Resolved::Bool(true),
        "false" | "False" | "FALSE" => return Resolved::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Resolved::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        return Resolved::Text(text.to_owned());
    }
    if let Some(number) = integer(text) {
        return Resolved::Integer(number);
    }
    match float(text) {
        Some(number) => Resolved::Float(number),
        None => Resolved::Text(text.to_owned()),
    }
}

fn integer(text: &str) -> Option<i64> {
    let digits = text.replace('_', "");
    let (negative, digits) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.strip_prefix('+').unwrap_or(&digits)),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, &digits[2..]),
        Some("0b" | "0B") => (2, &digits[2..]),
        Some("0o" | "0O") => (8, &digits[2..]),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    let number = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -number } else { number })
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn float(text: &str) -> Option<f64> {
    let digits = text.replace('_', "");
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(&digits);
    let allowed = |c: char| c.is_ascii_digit() || ".eE+-".contains(c);
    let begins = unsigned.strip_prefix('.').unwrap_or(unsigned);
    if !begins.starts_with(|c: char| c.is_ascii_digit()) || !unsigned.chars().all(allowed) {
        return None;
    }
    digits.strip_prefix('+').unwrap_or(&digits).parse().ok()
}

/// Whether a text may stand without quotes and is still read as a text, also by older readers.
pub(in crate::gitea::workflow) fn reads_as_text(text: &str) -> bool {
    matches!(resolve(text), Resolved::Text(_))
        && !is_old_bool(text)
        && !is_base_60(text)
        && !is_date(text)
}

fn is_old_bool(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "on"
            | "On"
            | "ON"
            | "n"
            | "N"
            | "no"
            | "No"
            | "NO"
            | "off"
            | "Off"
            | "OFF"
    )
}

/// `1:30` was a number in YAML 1.1.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    unsigned.contains(':')
        && unsigned.starts_with(|c: char| c.is_ascii_digit())
        && unsigned.split(':').all(|part| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_ascii_digit() || c == '_' || c == '.')
        })
}

/// `2026-01-01`, with or without a time behind it.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let year = parts
        .next()
        .is_some_and(|part| part.len() == 4 && all_digits(part));
    let month = parts
        .next()
        .is_some_and(|part| part.len() <= 2 && all_digits(part));
    let day = parts.next().is_some_and(|part| {
        let day = part.split(['T', 't', ' ']).next().unwrap_or_default();
        day.len() <= 2 && all_digits(day)
    });
    year && month && day
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

/// The order in which the keys of a map are written: numbers inside names by their value.
pub(in crate::gitea::workflow) fn natural_order(left: &str, right: &str) -> Ordering {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut digits = false;
    for (at, (&a, &b)) in left.iter().zip(&right).enumerate() {
        if a == b {
            digits = a.is_numeric();
            continue;
        }
        return match (a.is_alphabetic(), b.is_alphabetic()) {
            (true, true) => a.cmp(&b),
            (true, false) if digits => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if digits => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => number(&left[at..])
                .cmp(&number(&right[at..]))
                .then_with(|| a.cmp(&b)),
        };
    }
    left.len().cmp(&right.len())
}

/// Value and length of the digits at the front.
fn number(characters: &[char]) -> (u64, usize) {
    let digits: Vec<u32> = characters.iter().map_while(|c| c.to_digit(10)).collect();
    let value = digits.iter().fold(0_u64, |sum, digit| {
        sum.saturating_mul(10).saturating_add(u64::from(*digit))
    });
    (value, digits.len())
}
