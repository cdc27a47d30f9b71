//! Pages and the stream over all of them.
//!
//! # Quirks
//! - The server cuts `limit` silently (50 unless configured), so a short page means nothing.
//! - 1.25 ignores `limit` where there is no `page`, so both are always sent.
//! - `Link` is built from the server's own idea of its address: only the page number is taken
//!   from it, never the address.
//! - Some totals count more than can be seen, so an empty page ends every list.

use std::collections::HashSet;
use std::fmt;

use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use serde::de::DeserializeOwned;
use url::Url;

use crate::client::Client;
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::request::Request;
use crate::response::{self, Answer};

/// The page size unless told: what a server with default settings gives at most.
const SIZE: u32 = 50;

/// How many pages are asked for at most: a list that is longer does not end by itself.
const PAGES_MAX: u32 = 100_000;

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The things on it.
    pub items: Vec<T>,
    /// Its number, from 1.
    pub number: u32,
    /// How many there are on all pages, where the server tells. It may count what cannot be seen.
    pub total: Option<u64>,
    /// The next page's number, where the server tells.
    next: Option<u32>,
    /// Whether the server told of neighbouring pages at all.
    linked: bool,
}

/// A list on the server, not asked for yet: take one [`page`](Self::page), or
/// [`stream`](Self::stream) them all.
#[must_use = "a list is asked for by `page`, `stream` or `collect`"]
pub struct List<T> {
    client: Client,
    request: Request,
    size: Option<u32>,
    member: Option<&'static str>,
    identity: Option<fn(&T) -> i64>,
}

impl<T> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "List({})", self.request)
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            request: self.request.clone(),
            size: self.size,
            member: self.member,
            identity: self.identity,
        }
    }
}

impl<T: DeserializeOwned + Send + 'static> List<T> {
    /// A list that comes in pages.
    pub(crate) fn paged(client: &Client, request: Request) -> Self {
        Self {
            client: client.clone(),
            request,
            size: Some(SIZE),
            member: None,
            identity: None,
        }
    }

    /// A list that always comes whole.
    pub(crate) fn whole(client: &Client, request: Request) -> Self {
        Self {
            size: None,
            ..Self::paged(client, request)
        }
    }

    /// The list stands in a member of an object.
    pub(crate) fn member(mut self, name: &'static str) -> Self {
        self.member = Some(name);
        self
    }

    /// New things come first, so pages shift while they are read: what was seen is skipped.
    pub(crate) fn distinct(mut self, identity: fn(&T) -> i64) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Asks for another page size; the server may cut it.
    pub fn page_size(mut self, size: u32) -> Self {
        self.size = self.size.map(|_| size);
        self
    }

    /// One page, by number from 1.
    ///
    /// # Errors
    /// Any kind.
    pub async fn page(&self, number: u32) -> Result<Page<T>> {
        let mut request = self.request.clone();
        if let Some(size) = self.size {
            request = request.query("page", number).query("limit", size);
        }
        let (subject, answer) = self.client.exchange(&request).await?;
        let (items, inner) = match self.member {
            Some(member) => response::decode_wrapped(&subject, &answer, member)?,
            None => (
                response::decode::<Option<Vec<T>>>(&subject, &answer)?.unwrap_or_default(),
                None,
            ),
        };
        let counted = answer
            .header("x-total-count")
            .and_then(|text| text.parse().ok());
        let link = links(&answer);
        let next = link
            .iter()
            .find(|(rel, _)| rel == "next")
            .map(|(_, page)| *page);
        Ok(Page {
            items,
            number,
            total: counted.or(inner),
            next,
            linked: !link.is_empty(),
        })
    }

    /// All pages, one request each, ending by the rules in the module's description.
    pub fn pages(self) -> BoxStream<'static, Result<Page<T>>> {
        let start = Some((self, 1_u32, 0_u64));
        stream::try_unfold(start, |state| async move {
            let Some((list, number, seen)) = state else {
                return Ok(None);
            };
            if number > PAGES_MAX {
                let title = list.request.title();
                return Err(
                    Error::new(ErrorKind::LimitReached, title, Delivery::Answered)
                        .saying(format!("there are more than {PAGES_MAX} pages")),
                );
            }
            let page = list.page(number).await?;
            if page.items.is_empty() {
                return Ok(None);
            }
            let seen = seen + page.items.len() as u64;
            let rest = list.size.is_some() && goes_on(&page, seen);
            let next = page.next.unwrap_or(number + 1);
            Ok(Some((page, rest.then_some((list, next, seen)))))
        })
        .boxed()
    }

    /// All things, page after page.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = testkit::forge::Forge::start().await?;
    /// # let token = gitea_api::Auth::token(&*server.ready().root_token);
    /// # let client = gitea_api::Client::builder(server.url()).auth(token).build()?;
    /// use futures_util::TryStreamExt as _;
    ///
    /// let users = client.admin().users().page_size(20).stream();
    /// let logins: Vec<String> = users.map_ok(|user| user.login).try_collect().await?;
    /// assert_eq!(logins, ["root1"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream(self) -> BoxStream<'static, Result<T>> {
        let identity = self.identity;
        let mut seen = HashSet::new();
        let new = move |item: &T| identity.is_none_or(|identity| seen.insert(identity(item)));
        let items = self
            .pages()
            .map_ok(|page| stream::iter(page.items.into_iter().map(Ok)));
        let mut new = new;
        items
            .try_flatten()
            .try_filter(move |item| std::future::ready(new(item)))
            .boxed()
    }

    /// All things at once, if there are at most so many.
    ///
    /// # Errors
    /// `LimitReached` when there are more; any kind from the server.
    pub async fn collect(self, at_most: usize) -> Result<Vec<T>> {
        let title = self.request.title().to_owned();
        let mut items = Vec::new();
        let mut stream = self.stream();
        while let Some(item) = stream.try_next().await? {
            if items.len() == at_most {
                return Err(
                    Error::new(ErrorKind::LimitReached, title, Delivery::Answered)
                        .saying(format!("there are more than {at_most}")),
                );
            }
            items.push(item);
        }
        Ok(items)
    }
}

/// Whether to ask for another page. An answer without any sign of paging is the whole list.
fn goes_on<T>(page: &Page<T>, seen: u64) -> bool {
    if page.linked {
        return page.next.is_some_and(|next| next > page.number);
    }
    page.total.is_some_and(|total| seen < total)
}

/// The page numbers in `Link`, by their relation.
fn links(answer: &Answer) -> Vec<(String, u32)> {
    let text = answer.header("link").unwrap_or_default();
    text.split(',').filter_map(link).collect()
}

fn link(part: &str) -> Option<(String, u32)> {
    let (address, relation) = part.trim().split_once(';')?;
    let url = Url::parse(address.trim().strip_prefix('<')?.strip_suffix('>')?).ok()?;
    let (_, page) = url.query_pairs().find(|(name, _)| name == "page")?;
    let relation = relation.trim().strip_prefix("rel=")?.trim_matches('"');
    Some((relation.to_owned(), page.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Page, goes_on, link};

    fn page(number: u32, total: Option<u64>, next: Option<u32>, linked: bool) -> Page<u8> {
        Page {
            items: vec![0],
            number,
            total,
            next,
            linked,
        }
    }

    #[test]
    fn the_stop_rule() {
        assert!(goes_on(&page(1, Some(9), Some(2), true), 3));
        assert!(
            !goes_on(&page(3, Some(9), None, true), 9),
            "the last page has no next"
        );
        assert!(
            goes_on(&page(1, Some(9), None, false), 3),
            "a total without links"
        );
        assert!(!goes_on(&page(1, Some(3), None, false), 3));
        assert!(
            !goes_on(&page(1, None, None, false), 30),
            "no sign of paging"
        );
        assert!(
            !goes_on(&page(2, Some(9), Some(1), true), 4),
            "never backwards"
        );
    }

    #[test]
    fn only_the_page_number_of_a_link_counts() {
        let text = r#"<https://elsewhere.example/api/v1/x?limit=2&page=7>; rel="next""#;
        assert_eq!(link(text), Some(("next".to_owned(), 7)));
        assert_eq!(link("<nonsense>; rel=\"next\""), None);
    }
}
