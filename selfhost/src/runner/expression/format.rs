//! How numbers and JSON are written, as workflows have come to expect it.

use super::Value;

/// A number inside a text: at most 15 digits, an exponent from 1E+15 and below 1E-05.
pub(crate) fn number_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let (digits, exponent) = significant(value, 15);
    if (-5..15).contains(&exponent) {
        return plain(&digits, exponent, value < 0.0);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!(
        "{}E{sign}{:02}",
        mantissa(&digits, value < 0.0),
        exponent.abs()
    )
}

/// A number in JSON: all its digits, an exponent from 1e+21 and below 1e-06.
fn number_json(value: f64) -> String {
    if !value.is_finite() {
        return "null".to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let shortest = format!("{value:e}");
    let (head, tail) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits: String = head.chars().filter(char::is_ascii_digit).collect();
    let exponent: i32 = tail.parse().unwrap_or(0);
    if (-6..21).contains(&exponent) {
        return plain(&digits, exponent, value < 0.0);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!(
        "{}e{sign}{:02}",
        mantissa(&digits, value < 0.0),
        exponent.abs()
    )
}

/// The first digits of a number without trailing zeros, and the power of ten of the first one.
fn significant(value: f64, count: usize) -> (String, i32) {
    let written = format!("{:.*e}", count - 1, value.abs());
    let (head, tail) = written.split_once('e').unwrap_or((&written, "0"));
    let digits: String = head.chars().filter(char::is_ascii_digit).collect();
    let trimmed = digits.trim_end_matches('0');
    (
        if trimmed.is_empty() { "0" } else { trimmed }.to_owned(),
        tail.parse().unwrap_or(0),
    )
}

/// Digits with the point where it belongs.
fn plain(digits: &str, exponent: i32, negative: bool) -> String {
    let sign = if negative { "-" } else { "" };
    let Ok(shift) = usize::try_from(exponent) else {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0));
        return format!("{sign}0.{zeros}{digits}");
    };
    if digits.len() <= shift + 1 {
        return format!("{sign}{digits}{}", "0".repeat(shift + 1 - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..=shift], &digits[shift + 1..])
}

fn mantissa(digits: &str, negative: bool) -> String {
    let sign = if negative { "-" } else { "" };
    match digits.len() {
        1 => format!("{sign}{digits}"),
        _ => format!("{sign}{}.{}", &digits[..1], &digits[1..]),
    }
}

/// JSON over several lines: two blanks a level, members by name, `<`, `>` and `&` escaped.
pub(crate) fn json_text(value: &Value) -> String {
    let mut text = String::new();
    write_json(value, 0, &mut text);
    text
}

fn write_json(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&number_json(*number)),
        Value::String(content) => text.push_str(&quoted(content)),
        Value::Array(items) => {
            let parts: Vec<(Option<&str>, &Value)> =
                items.iter().map(|item| (None, item)).collect();
            write_block(('[', ']'), &parts, depth, text);
        }
        Value::Object(members) => {
            let mut parts: Vec<(Option<&str>, &Value)> = members
                .iter()
                .map(|(name, value)| (Some(name.as_str()), value))
                .collect();
            parts.sort_by_key(|(name, _)| *name);
            write_block(('{', '}'), &parts, depth, text);
        }
    }
}

fn write_block(
    (open, close): (char, char),
    parts: &[(Option<&str>, &Value)],
    depth: usize,
    text: &mut String,
) {
    text.push(open);
    for (index, (name, value)) in parts.iter().enumerate() {
        text.push_str(if index == 0 { "\n" } else { ",\n" });
        text.push_str(&"  ".repeat(depth + 1));
        if let Some(name) = name {
            text.push_str(&quoted(name));
            text.push_str(": ");
        }
        write_json(value, depth + 1, text);
    }
    if !parts.is_empty() {
        text.push('\n');
        text.push_str(&"  ".repeat(depth));
    }
    text.push(close);
}

fn quoted(text: &str) -> String {
    let plain = serde_json::Value::from(text).to_string();
    plain
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_recorded() {
        let cases = [
            (1.50, "1.5"),
            (1e6, "1000000"),
            (1e20, "1E+20"),
            (1e-7, "1E-07"),
            (0.1, "0.1"),
            (-0.5, "-0.5"),
            (12_345_678_901_234_567_890.0, "1.23456789012346E+19"),
            (123_456_789_012.0, "123456789012"),
        ];
        for (value, text) in cases {
            assert_eq!(number_text(value), text);
        }
    }

    #[test]
    fn json_numbers_keep_their_digits() {
        assert_eq!(number_json(1e21), "1e+21");
        assert_eq!(number_json(1000.0), "1000");
        assert_eq!(number_json(1.5), "1.5");
    }

    #[test]
    fn json_is_sorted_indented_and_escaped() {
        let value =
            Value::from(serde_json::json!({"b": 1, "a": {"z": null, "y": [1, [2]]}, "c": {}}));
        insta::assert_snapshot!(json_text(&value), @r#"
        {
          "a": {
            "y": [
              1,
              [
                2
              ]
            ],
            "z": null
          },
          "b": 1,
          "c": {}
        }
        "#);
        assert_eq!(json_text(&Value::text("<&>")), r#""\u003c\u0026\u003e""#);
    }
}
