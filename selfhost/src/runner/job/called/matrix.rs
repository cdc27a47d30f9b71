//! Pure: the combinations of a matrix, as the documentation of workflows has them.

use indexmap::IndexMap;

use crate::runner::expression::Value;

/// So many combinations a matrix may have.
const COMBINATIONS_MAX: usize = 256;

type Row = IndexMap<String, Value>;

/// The combinations of a matrix whose expressions are filled in: the product of its lists, without
/// what `exclude` names, with what `include` adds. An included row goes to each combination whose
/// own values it does not change, and is one of its own where there is no such combination.
pub(super) fn rows(matrix: &Value) -> Result<Vec<Row>, String> {
    let Value::Object(members) = matrix else {
        return Err("is no list of values by name".to_owned());
    };
    let of = |name: &str| members.get(name).map_or_else(Vec::new, listed);
    let keys: Vec<&String> = (members.keys())
        .filter(|key| !matches!(key.as_str(), "include" | "exclude"))
        .collect();
    let mut rows = if keys.is_empty() {
        Vec::new()
    } else {
        product(&keys, members)?
    };
    for excluded in of("exclude") {
        rows.retain(|row| !holds(row, &excluded));
    }
    for included in of("include") {
        include(&mut rows, &keys, included);
    }
    match rows.is_empty() {
        true => Err("has no combination".to_owned()),
        false => Ok(rows),
    }
}

fn product(keys: &[&String], members: &Row) -> Result<Vec<Row>, String> {
    let mut rows = vec![Row::new()];
    for key in keys {
        let values = match &members[*key] {
            Value::Array(values) => values.clone(),
            value => vec![value.clone()],
        };
        if rows.len().saturating_mul(values.len()) > COMBINATIONS_MAX {
            return Err(format!("has more than {COMBINATIONS_MAX} combinations"));
        }
        let longer = |row: &Row, value: &Value| {
            let mut row = row.clone();
            row.insert((*key).clone(), value.clone());
            row
        };
        rows = (rows.iter())
            .flat_map(|row| values.iter().map(|value| longer(row, value)))
            .collect();
    }
    Ok(rows)
}

fn listed(value: &Value) -> Vec<Row> {
    let rows = match value {
        Value::Array(rows) => rows.iter().collect(),
        row => vec![row],
    };
    rows.into_iter()
        .filter_map(|row| match row {
            Value::Object(row) => Some(row.clone()),
            _ => None,
        })
        .collect()
}

fn holds(row: &Row, part: &Row) -> bool {
    part.iter().all(|(key, value)| row.get(key) == Some(value))
}

fn include(rows: &mut Vec<Row>, keys: &[&String], included: Row) {
    let fits = |row: &Row| {
        keys.iter().all(|key| {
            included
                .get(*key)
                .is_none_or(|value| row.get(*key) == Some(value))
        })
    };
    let mut taken = false;
    for row in rows.iter_mut().filter(|_| !keys.is_empty()) {
        // A row that was included before has none of the matrix's own values.
        if keys.iter().any(|key| row.contains_key(*key)) && fits(row) {
            row.extend(included.clone());
            taken = true;
        }
    }
    if !taken {
        rows.push(included);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(matrix: &str, expected: &[&str]) {
        let value: serde_json::Value = serde_json::from_str(matrix).unwrap();
        let rows = rows(&Value::from(value)).unwrap();
        let rows: Vec<String> = rows
            .into_iter()
            .map(|row| Value::Object(row).to_json().to_string())
            .collect();
        assert_eq!(rows, expected, "{matrix}");
    }

    #[test]
    fn lists_are_multiplied_rows_are_excluded_and_included() {
        check(
            r#"{"a": ["x", "y"], "b": ["p", "q"], "exclude": [{"a": "y", "b": "q"}]}"#,
            &[
                r#"{"a":"x","b":"p"}"#,
                r#"{"a":"x","b":"q"}"#,
                r#"{"a":"y","b":"p"}"#,
            ],
        );
        check(
            r#"{"a": ["x", "y"], "include": [{"c": "all"}, {"a": "y", "d": "one"}, {"a": "z"}]}"#,
            &[
                r#"{"a":"x","c":"all"}"#,
                r#"{"a":"y","c":"all","d":"one"}"#,
                r#"{"a":"z"}"#,
            ],
        );
        check(
            r#"{"include": [{"a": "x"}, {"a": "y"}]}"#,
            &[r#"{"a":"x"}"#, r#"{"a":"y"}"#],
        );
    }

    #[test]
    fn a_matrix_without_combinations_or_with_too_many_is_refused() {
        let rows = |matrix: serde_json::Value| rows(&Value::from(matrix)).unwrap_err();
        let many: Vec<usize> = (0..20).collect();
        assert!(rows(serde_json::json!({"a": []})).contains("no combination"));
        assert!(rows(serde_json::json!({"a": many, "b": many})).contains("more than 256"));
        assert!(rows(serde_json::json!("text")).contains("no list"));
    }
}
