//! Globs as Gitea reads them: `*` stays within a part of a path, `**` does not.

/// Whether a path fits a pattern.
#[must_use]
pub fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), path.chars().collect());
    // Patterns come from users: without a bound a few stars could cost more than all else.
    let mut steps = 100_000_u32;
    matches(&pattern, &path, &mut steps)
}

fn matches(pattern: &[char], path: &[char], steps: &mut u32) -> bool {
    *steps = steps.saturating_sub(1);
    if *steps == 0 {
        return false;
    }
    match pattern {
        [] => path.is_empty(),
        ['*', '*', rest @ ..] => {
            let rest_without_slash = rest.strip_prefix(&['/']).unwrap_or(rest);
            matches(rest_without_slash, path, steps)
                || (0..=path.len()).any(|skip| matches(rest, &path[skip..], steps))
        }
        ['*', rest @ ..] => {
            let end = path
                .iter()
                .position(|letter| *letter == '/')
                .unwrap_or(path.len());
            (0..=end).any(|skip| matches(rest, &path[skip..], steps))
        }
        ['?', rest @ ..] => {
            path.first().is_some_and(|letter| *letter != '/') && matches(rest, &path[1..], steps)
        }
        ['\\', letter, rest @ ..] => {
            path.first() == Some(letter) && matches(rest, &path[1..], steps)
        }
        ['[', rest @ ..] => match (class(rest), path.first()) {
            (Some((fits, after)), Some(letter)) => {
                fits(*letter) && matches(after, &path[1..], steps)
            }
            _ => false,
        },
        ['{', rest @ ..] => alternatives(rest, path, steps),
        [letter, rest @ ..] => path.first() == Some(letter) && matches(rest, &path[1..], steps),
    }
}

/// What a class such as `a-z]` or `!abc]` takes, and what comes behind it.
fn class(pattern: &[char]) -> Option<(impl Fn(char) -> bool, &[char])> {
    let end = pattern.iter().skip(1).position(|letter| *letter == ']')? + 1;
    let (inner, after) = (&pattern[..end], &pattern[end + 1..]);
    let (not, inner) = match inner {
        ['!' | '^', inner @ ..] => (true, inner.to_vec()),
        inner => (false, inner.to_vec()),
    };
    let fits = move |letter: char| {
        let range = inner
            .windows(3)
            .any(|part| part[1] == '-' && (part[0]..=part[2]).contains(&letter));
        (range || inner.contains(&letter)) != not
    };
    Some((fits, after))
}

fn alternatives(pattern: &[char], path: &[char], steps: &mut u32) -> bool {
    let Some(end) = pattern.iter().position(|letter| *letter == '}') else {
        return false;
    };
    let (inner, after) = (&pattern[..end], &pattern[end + 1..]);
    inner.split(|letter| *letter == ',').any(|choice| {
        let whole: Vec<char> = choice.iter().chain(after).copied().collect();
        matches(&whole, path, steps)
    })
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stays_in_its_part() {
        assert!(fits("*.md", "README.md") && !fits("*.md", "docs/README.md"));
        assert!(
            fits("**.md", "docs/README.md") && fits("docs/**", "docs/a/b") && fits("**/x", "x")
        );
        assert!(fits("v[0-9]?", "v1x") && !fits("v[!0-9]", "v1") && fits("{a,b}*", "bc"));
        assert!(!fits("********************************x", &"a".repeat(200)));
    }
}
