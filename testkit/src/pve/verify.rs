//! The parameter check: the server's JSON schema verifier with its texts, all wrong fields at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, OnceLock, PoisonError};

use indexmap::IndexMap;
use regex::bytes::{Regex, RegexBuilder};
use serde_json::Value;

use super::reply::Fail;
use super::request::Params;
use super::schema::{Endpoint, Format, Property, Schema};
use super::{Version, formats, property};

type Errors = BTreeMap<String, String>;

const MISSING: &str = "property is missing and it is not optional";
const UNKNOWN: &str =
    "property is not defined in schema and the schema does not allow additional properties";

/// Checks the parameters of a call.
pub(crate) fn check(version: Version, endpoint: &Endpoint, params: &Params) -> Result<(), Fail> {
    let mut errors = Errors::new();
    for (name, schema) in &endpoint.parameters {
        if !name.ends_with("[n]") && !params.contains_key(name) && !schema.is_optional() {
            errors.insert(name.clone(), MISSING.to_owned());
        }
    }
    for (name, value) in params {
        match endpoint.property(name) {
            None => drop(errors.insert(name.clone(), UNKNOWN.to_owned())),
            Some(schema) => {
                if let Some(needed) = schema
                    .requires
                    .as_ref()
                    .filter(|other| !params.contains_key(*other))
                {
                    errors.insert(needed.clone(), requires(version, name));
                }
                if !value.is_null() {
                    property(version, schema, name, value, &mut errors);
                }
            }
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Fail::params(errors))
    }
}

fn requires(version: Version, name: &str) -> String {
    match version {
        Version::V8_4 => format!("missing property - '{name}' requires this property"),
        Version::V9_2 => format!("missing property required by '{name}'"),
    }
}

/// Checks one value against its schema.
fn property(version: Version, schema: &Property, name: &str, value: &Value, errors: &mut Errors) {
    let kind = schema.kind.as_deref().unwrap_or("string");
    if kind == "array" || kind == "object" {
        return;
    }
    let Some(text) = scalar(schema, value) else {
        let what = if value.is_array() { "ARRAY" } else { "HASH" };
        let problem = format!("type check ('{kind}') failed - got {what}");
        errors.insert(name.to_owned(), problem);
        return;
    };
    if !is_kind(kind, &text) {
        errors.insert(
            name.to_owned(),
            format!("type check ('{kind}') failed - got '{text}'"),
        );
        return;
    }
    if let Err(problem) = value_of(version, schema, kind, &text, name) {
        errors.insert(name.to_owned(), problem);
    }
}

/// The text of a scalar; lists may come as arrays.
fn scalar(schema: &Property, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(items) => {
            let list =
                matches!(&schema.format, Some(Format::Name(name)) if name.ends_with("-list"));
            list.then(|| items.iter().map(text_of).collect::<Vec<_>>().join(","))
        }
        Value::Bool(flag) => Some(u8::from(*flag).to_string()),
        Value::Null => Some(String::new()),
        Value::Object(_) => None,
    }
}

/// A JSON scalar as Perl prints it.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(flag) => u8::from(*flag).to_string(),
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn is_kind(kind: &str, text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match kind {
        "integer" => !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()),
        "number" => is_number(unsigned),
        "boolean" => text == "0" || text == "1",
        _ => true,
    }
}

fn is_number(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent
}

fn value_of(
    version: Version,
    schema: &Property,
    kind: &str,
    text: &str,
    name: &str,
) -> Result<(), String> {
    match &schema.format {
        Some(Format::Keys(keys)) => {
            keys_of(version, keys, text, name).map_err(|e| format!("invalid format - {e}"))?;
        }
        Some(Format::Name(format)) => {
            named(version, format, text, name).map_err(|e| format!("invalid format - {e}"))?;
        }
        None => {}
    }
    if kind == "string" {
        if schema
            .max_length
            .is_some_and(|most| text.chars().count() > most)
        {
            return Err(format!(
                "value may only be {} characters long",
                schema.max_length.unwrap_or_default()
            ));
        }
        if schema
            .min_length
            .is_some_and(|least| text.chars().count() < least)
        {
            return Err(format!(
                "value must be at least {} characters long",
                schema.min_length.unwrap_or_default()
            ));
        }
    }
    if schema
        .pattern
        .as_ref()
        .is_some_and(|pattern| !matches(pattern, text))
    {
        return Err("value does not match the regex pattern".to_owned());
    }
    if kind == "integer" || kind == "number" {
        range(schema, text)?;
    }
    if let Some(values) = &schema.values {
        let words: Vec<String> = values.iter().map(text_of).collect();
        if !words.iter().any(|word| word == text) {
            return Err(format!(
                "value '{text}' does not have a value in the enumeration '{}'",
                words.join(", ")
            ));
        }
    }
    Ok(())
}

fn range(schema: &Property, text: &str) -> Result<(), String> {
    let number: f64 = text.parse().unwrap_or_default();
    match (schema.minimum, schema.maximum) {
        (Some(least), _) if number < least => {
            Err(format!("value must have a minimum value of {least}"))
        }
        (_, Some(most)) if number > most => {
            Err(format!("value must have a maximum value of {most}"))
        }
        _ => Ok(()),
    }
}

/// A format that has a name: a list, a property string or a function.
fn named(version: Version, format: &str, text: &str, name: &str) -> Result<(), String> {
    if format == "pve-startup-order" {
        return formats::startup(text);
    }
    if let Some(keys) = Schema::of(version).named_format(format) {
        return keys_of(version, keys, text, name);
    }
    match format.strip_suffix("-list") {
        Some(item) => {
            for word in property::split_list(text) {
                formats::check(item, word)?;
            }
            Ok(())
        }
        None => formats::check(format, text),
    }
}

/// Checks a property string; the error is the text after `invalid format - `.
fn keys_of(
    version: Version,
    keys: &IndexMap<String, Property>,
    text: &str,
    name: &str,
) -> Result<(), String> {
    let values = property::parse(keys, text)?;
    let mut errors = Errors::new();
    check_keys(version, keys, &values, &format!("{name}."), &mut errors);
    if errors.is_empty() {
        return Ok(());
    }
    let lines: String = errors
        .iter()
        .map(|(key, text)| format!("{key}: {text}\n"))
        .collect();
    Err(format!("format error\n{lines}"))
}

/// Checks the keys of a property string that was taken apart.
pub(crate) fn check_keys(
    version: Version,
    keys: &IndexMap<String, Property>,
    values: &IndexMap<String, String>,
    prefix: &str,
    errors: &mut Errors,
) {
    for (key, schema) in keys {
        if !values.contains_key(key) && !schema.is_optional() && schema.alias.is_none() {
            errors.insert(format!("{prefix}{key}"), MISSING.to_owned());
        }
    }
    for (key, value) in values {
        match keys.get(key) {
            None => drop(errors.insert(format!("{prefix}{key}"), UNKNOWN.to_owned())),
            Some(schema) => {
                property(
                    version,
                    schema,
                    &format!("{prefix}{key}"),
                    &Value::from(value.as_str()),
                    errors,
                );
            }
        }
    }
}

/// Whether the text matches a Perl pattern from end to end.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    static COMPILED: OnceLock<Mutex<HashMap<String, Option<Regex>>>> = OnceLock::new();
    let mut compiled = COMPILED
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = compiled.get(pattern) {
        return regex
            .as_ref()
            .is_none_or(|regex| regex.is_match(text.as_bytes()));
    }
    let regex = compile(pattern).ok();
    let answer = regex
        .as_ref()
        .is_none_or(|regex| regex.is_match(text.as_bytes()));
    compiled.insert(pattern.to_owned(), regex);
    answer
}

/// Perl's spelling of groups and counts, on bytes: names are ASCII.
fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    let spellings = [
        ("(?^:", "(?:"),
        ("(?^i:", "(?i:"),
        ("(?^u:", "(?:"),
        ("{,", "{0,"),
        (r"\0", r"\x00"),
    ];
    let rust = spellings
        .iter()
        .fold(pattern.to_owned(), |text, (perl, rust)| {
            text.replace(perl, rust)
        });
    RegexBuilder::new(&format!("^(?:{rust})$"))
        .unicode(false)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_perl_takes_for_numbers() {
        for (kind, text, good) in [
            ("integer", "0512", true),
            ("integer", "1e3", false),
            ("integer", "0x200", false),
            ("integer", "", false),
            ("integer", " 100", false),
            ("number", "1.50", true),
            ("number", ".5", true),
            ("number", ".", false),
            ("boolean", "yes", false),
        ] {
            assert_eq!(is_kind(kind, text), good, "{kind} {text}");
        }
    }

    #[test]
    fn every_pattern_of_both_schemas_compiles() {
        for version in [Version::V8_4, Version::V9_2] {
            for slot in Schema::of(version).slots() {
                for schema in slot.endpoint().parameters.values() {
                    if let Some(pattern) = &schema.pattern {
                        assert!(compile(pattern).is_ok(), "{pattern}");
                    }
                }
            }
        }
    }
}
