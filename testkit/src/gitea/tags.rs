//! Who may touch a tag.

use super::glob;
use super::world::World;

/// Whether a user may create, move or delete a tag: all rules that fit it must name the user.
#[must_use]
pub fn may_touch(world: &World, repo: i64, user: i64, tag: &str) -> bool {
    let rules = world
        .tag_protections
        .of(repo)
        .map(|(_, rule)| rule)
        .filter(|rule| fits(&rule.pattern, tag));
    let rules: Vec<_> = rules.collect();
    rules.is_empty()
        || rules.iter().any(|rule| {
            let in_team = |team: &i64| {
                world
                    .teams
                    .get(*team)
                    .is_some_and(|team| team.members.contains(&user))
            };
            rule.users.contains(&user) || rule.teams.iter().any(in_team)
        })
}

fn fits(pattern: &str, tag: &str) -> bool {
    match pattern
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'))
    {
        Some(expression) => simple_expression(expression, tag),
        None => glob::fits(pattern, tag),
    }
}

/// The part of regular expressions that rules for tags use: anchors, `.`, classes, and `*`, `+`, `?` behind one of them.
fn simple_expression(expression: &str, text: &str) -> bool {
    let (anchored, rest) = expression
        .strip_prefix('^')
        .map_or((false, expression), |rest| (true, rest));
    let (ends, rest) = match rest.strip_suffix('$') {
        Some(rest) if !rest.ends_with('\\') => (true, rest),
        _ => (false, rest),
    };
    let atoms = atoms(rest);
    let letters: Vec<char> = text.chars().collect();
    let starts = if anchored { 0..=0 } else { 0..=letters.len() };
    let mut steps = 100_000_u32;
    starts
        .into_iter()
        .any(|start| run(&atoms, &letters[start..], ends, &mut steps))
}

/// One letter of an expression, and how often.
struct Atom {
    accepts: Box<dyn Fn(char) -> bool>,
    least: usize,
    most: usize,
}

fn atoms(expression: &str) -> Vec<Atom> {
    let letters: Vec<char> = expression.chars().collect();
    let (mut atoms, mut at) = (Vec::new(), 0);
    while at < letters.len() {
        let accepts: Box<dyn Fn(char) -> bool> = match letters[at] {
            '.' => Box::new(|_| true),
            '\\' => {
                at += 1;
                escaped(letters.get(at).copied().unwrap_or('\\'))
            }
            '[' => {
                let end = letters[at..]
                    .iter()
                    .position(|letter| *letter == ']')
                    .map_or(letters.len() - 1, |end| at + end);
                let inner: Vec<char> = letters[(at + 1).min(end)..end].to_vec();
                at = end;
                Box::new(move |letter| {
                    let (not, inner) = inner
                        .strip_prefix(&['^'])
                        .map_or((false, &inner[..]), |inner| (true, inner));
                    let range = inner
                        .windows(3)
                        .any(|part| part[1] == '-' && (part[0]..=part[2]).contains(&letter));
                    (range || inner.contains(&letter)) != not
                })
            }
            literal => Box::new(move |letter| letter == literal),
        };
        at += 1;
        let (least, most) = match letters.get(at) {
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('?') => (0, 1),
            _ => (1, 1),
        };
        at += usize::from((least, most) != (1, 1));
        atoms.push(Atom {
            accepts,
            least,
            most,
        });
    }
    atoms
}

fn escaped(letter: char) -> Box<dyn Fn(char) -> bool> {
    match letter {
        'd' => Box::new(|letter| letter.is_ascii_digit()),
        'w' => Box::new(|letter| letter.is_ascii_alphanumeric() || letter == '_'),
        literal => Box::new(move |letter| letter == literal),
    }
}

fn run(atoms: &[Atom], text: &[char], ends: bool, steps: &mut u32) -> bool {
    *steps = steps.saturating_sub(1);
    if *steps == 0 {
        return false;
    }
    let Some((atom, rest)) = atoms.split_first() else {
        return !ends || text.is_empty();
    };
    let reach = text
        .iter()
        .take(atom.most)
        .take_while(|letter| (atom.accepts)(**letter))
        .count();
    (atom.least..=reach)
        .rev()
        .any(|taken| run(rest, &text[taken..], ends, steps))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn rules_are_globs_or_expressions() {
        assert!(fits("v*", "v1.0") && !fits("v*", "r1"));
        assert!(fits("/^r-/", "r-1") && !fits("/^r-/", "v-r-1"));
        assert!(fits("/^v\\d+\\.[0-9]+$/", "v1.20") && !fits("/^v\\d+\\.[0-9]+$/", "v1.20x"));
    }
}
