//! Pages of lists, with the headers that tell how many there are.

use serde_json::Value;

use super::call::Call;
use super::reply::Reply;
use super::settings::Settings;

/// Which part of a list was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// From 1.
    pub number: usize,
    /// How many entries a page has.
    pub size: usize,
}

impl Page {
    /// The page a call asks for by `page` and `limit`.
    #[must_use]
    pub fn of(call: &Call, settings: &Settings) -> Self {
        Self::with_limit(call, settings, "limit")
    }

    /// The same, with another name for `limit`.
    #[must_use]
    pub fn with_limit(call: &Call, settings: &Settings, name: &str) -> Self {
        if call.unpaged {
            return Self {
                number: 1,
                size: usize::MAX,
            };
        }
        let number = |name: &str| {
            call.query(name)
                .and_then(|text| text.parse::<i64>().ok())
                .and_then(|number| usize::try_from(number).ok())
        };
        let size = number(name)
            .filter(|size| *size > 0)
            .unwrap_or(settings.page_size)
            .min(settings.page_size_max);
        Self {
            number: number("page").filter(|page| *page > 0).unwrap_or(1),
            size,
        }
    }

    /// The part of a list that lies on this page.
    #[must_use]
    pub fn slice<'l, T>(&self, list: &'l [T]) -> &'l [T] {
        let from = (self.number - 1).saturating_mul(self.size).min(list.len());
        &list[from..from.saturating_add(self.size).min(list.len())]
    }

    /// The `Link` header for so many entries in all; `None` when they fit on one page.
    #[must_use]
    pub fn link(&self, call: &Call, settings: &Settings, total: usize) -> Option<String> {
        let last = total.div_ceil(self.size);
        let mut rels = Vec::new();
        // Behind the end is the end.
        let here = self.number.min(last);
        if here < last {
            rels.push((here + 1, "next"));
            rels.push((last, "last"));
        }
        if here > 1 {
            rels.push((1, "first"));
            rels.push((here - 1, "prev"));
        }
        if rels.is_empty() {
            return None;
        }
        let address = |page: usize| {
            format!(
                "{}{}?{}",
                settings.root_url,
                call.path,
                query_with(call, page)
            )
        };
        let parts: Vec<String> = rels
            .into_iter()
            .map(|(page, rel)| format!("<{}>; rel=\"{rel}\"", address(page)))
            .collect();
        Some(parts.join(","))
    }
}

/// The caller's query, sorted and encoded anew, with another page.
fn query_with(call: &Call, page: usize) -> String {
    let mut pairs: Vec<(String, String)> = call
        .query
        .iter()
        .filter(|(name, _)| name != "page")
        .cloned()
        .collect();
    pairs.push(("page".into(), page.to_string()));
    pairs.sort_by(|one, two| one.0.cmp(&two.0));
    let encoded = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    encoded.collect::<Vec<_>>().join("&")
}

fn encode(text: &str) -> String {
    const KEPT: percent_encoding::AsciiSet = percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~')
        .remove(b' ');
    percent_encoding::utf8_percent_encode(text, &KEPT)
        .to_string()
        .replace(' ', "+")
}

impl Reply {
    /// The same with `X-Total-Count` and, where there are several pages, `Link`.
    #[must_use]
    pub fn with_paging(self, call: &Call, settings: &Settings, page: Page, total: usize) -> Self {
        let reply = self.with_header("x-total-count", total.to_string());
        match page.link(call, settings, total) {
            Some(link) => reply.with_header("link", link),
            None => reply,
        }
    }
}

/// One page of a list that tells its length but not where its other pages are.
pub fn counted<T>(
    call: &Call,
    settings: &Settings,
    list: &[T],
    view: impl Fn(&T) -> Value,
) -> Reply {
    let page = Page::of(call, settings);
    let entries: Vec<Value> = page.slice(list).iter().map(view).collect();
    Reply::ok(Value::Array(entries)).with_header("x-total-count", list.len().to_string())
}

/// One page of a list with its headers, each entry made by `view`.
pub fn listed<T>(
    call: &Call,
    settings: &Settings,
    list: &[T],
    view: impl Fn(&T) -> Value,
) -> Reply {
    let page = Page::of(call, settings);
    let entries: Vec<Value> = page.slice(list).iter().map(view).collect();
    Reply::ok(Value::Array(entries)).with_paging(call, settings, page, list.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(target: &str, total: usize) -> Option<String> {
        let (call, settings) = (
            Call::new("GET", target),
            Settings {
                root_url: "R".into(),
                ..Settings::default()
            },
        );
        Page::of(&call, &settings).link(&call, &settings, total)
    }

    #[test]
    fn links_keep_the_query() {
        let want =
            r#"<R/x?limit=60&page=2&q=a+b>; rel="next",<R/x?limit=60&page=3&q=a+b>; rel="last""#;
        assert_eq!(link("/x?q=a%20b&limit=60", 120).as_deref(), Some(want));
    }

    #[test]
    fn behind_the_end_the_previous_page_is_the_last_but_one() {
        assert_eq!(
            link("/x?limit=2&page=9", 6).as_deref(),
            Some(r#"<R/x?limit=2&page=1>; rel="first",<R/x?limit=2&page=2>; rel="prev""#)
        );
        assert_eq!(link("/x", 30), None);
    }
}
