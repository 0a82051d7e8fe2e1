//! Reads the pages of a list as their bytes arrive.

use std::borrow::Cow;

use serde::{
    Deserialize,
    de::{DeserializeSeed, IgnoredAny},
};

use super::{Bench, ObjectDecoder, visit::Root};
use crate::model::Object;

/// What a page says of its list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ListMeta {
    /// Token of the next page; `None` or empty if there is none.
    #[serde(rename = "continue")]
    pub next: Option<String>,
    /// The state of the server that the whole list shows.
    pub resource_version: Option<String>,
    /// How many objects follow this page, where the server tells.
    pub remaining_item_count: Option<i64>,
}

impl ListMeta {
    /// Token of the next page, if there is one.
    pub fn next(&self) -> Option<&str> {
        self.next.as_deref().filter(|token| !token.is_empty())
    }
}

/// Sizes that a page must not exceed, in decoded bytes.
#[derive(Clone, Copy, Debug)]
pub struct PageLimits {
    /// Of one object, or of anything else in the page that is read at once.
    pub item: usize,
    /// Of the page.
    pub page: usize,
}

impl Default for PageLimits {
    /// 16 MiB and 512 MiB. A server stores objects of at most 1.5 MiB.
    fn default() -> Self {
        PageLimits {
            item: 16 << 20,
            page: 512 << 20,
        }
    }
}

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The body ended too early. Asking again may help.
    #[error("the list broke off after {0} bytes")]
    Truncated(usize),
    /// The body is not a list.
    #[error("the answer is not a list of objects: {0}")]
    Malformed(String),
    /// The page or one of its objects is larger than the limit, in bytes.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

/// Reads one page of a list, in whatever encoding, chunk by chunk.
pub trait PageDecoder {
    /// Reads on. Objects are appended as soon as they are complete.
    ///
    /// # Errors
    /// The bytes so far cannot begin a list, or are too many. The page is then lost.
    fn push(&mut self, chunk: &[u8], objects: &mut Vec<Object>) -> Result<(), PageError>;

    /// What the page says of its list, as soon as it has been read.
    fn meta(&self) -> Option<&ListMeta>;

    /// Ends the page.
    ///
    /// # Errors
    /// The end of the list has not been seen, so that objects may be missing.
    fn finish(&mut self, objects: &mut Vec<Object>) -> Result<ListMeta, PageError>;
}

/// A page in JSON: an object whose `kind` ends in `List`, with `metadata` and `items`.
///
/// Each value is decoded straight from the buffer as soon as it is complete. Where one is not, it
/// is tried again once enough has arrived to make that worthwhile, so that the work stays linear
/// however the body is cut.
pub struct JsonPage<'a> {
    decoder: &'a ObjectDecoder,
    limits: PageLimits,
    bench: Bench,
    buffer: Vec<u8>,
    /// Bytes of the buffer that have been read.
    read: usize,
    /// Unread bytes from which the next try is worthwhile.
    worthwhile: usize,
    /// All bytes that have arrived.
    total: usize,
    state: State,
    kind_seen: bool,
    items_seen: bool,
    meta: Option<ListMeta>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    /// Before the name of a field; the flag tells whether the object may end instead.
    Name {
        end: bool,
    },
    Value(Field),
    AfterValue,
    /// Before an item; the flag tells whether the array may end instead.
    Item {
        end: bool,
    },
    AfterItem,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Kind,
    Metadata,
    Items,
    Other,
}

/// Items are decoded in blocks of at least this many bytes, so that little of the work is done
/// twice where a block ends within an item.
const BLOCK: usize = 256 << 10;

/// What one step of reading came to.
enum Step {
    Done,
    NeedsMore,
}

impl<'a> JsonPage<'a> {
    /// Ready for the first byte of a page.
    pub fn new(decoder: &'a ObjectDecoder, limits: PageLimits) -> Self {
        JsonPage {
            decoder,
            limits,
            bench: Bench::default(),
            buffer: Vec::new(),
            read: 0,
            worthwhile: 0,
            total: 0,
            state: State::Start,
            kind_seen: false,
            items_seen: false,
            meta: None,
        }
    }

    fn run(&mut self, objects: &mut Vec<Object>, at_end: bool) -> Result<(), PageError> {
        loop {
            self.skip_space();
            let unread = self.buffer.len() - self.read;
            if unread == 0 || (unread < self.worthwhile && !at_end) {
                return Ok(());
            }
            match self.step(objects)? {
                Step::Done => self.worthwhile = 0,
                Step::NeedsMore => {
                    if unread > self.limits.item {
                        return Err(PageError::TooLarge {
                            what: "an object",
                            limit: self.limits.item,
                        });
                    }
                    let block = match self.state {
                        State::Item { .. } => BLOCK,
                        _ => 1,
                    };
                    self.worthwhile = block.max(unread * 2);
                    return Ok(());
                }
            }
        }
    }

    fn step(&mut self, objects: &mut Vec<Object>) -> Result<Step, PageError> {
        let next = self.buffer[self.read];
        self.state = match (self.state, next) {
            (State::Start, b'{') => self.consume(State::Name { end: true }),
            (State::Name { end: true }, b'}') | (State::AfterValue, b'}') => {
                self.consume(State::End)
            }
            (State::AfterValue, b',') => self.consume(State::Name { end: false }),
            (State::Name { .. }, b'"') => return self.name(),
            (State::Value(Field::Items), b'[') => {
                self.items_seen = true;
                self.consume(State::Item { end: true })
            }
            (State::Value(field), _) => return self.value(field),
            (State::Item { end: true } | State::AfterItem, b']') => self.consume(State::AfterValue),
            (State::AfterItem, b',') => self.consume(State::Item { end: false }),
            (State::Item { .. }, b'{') => return self.item(objects),
            (state, byte) => {
                let place = match state {
                    State::Start => "at the beginning",
                    State::End => "after the end",
                    State::Item { .. } | State::AfterItem => "among the items",
                    _ => "among the fields of the list",
                };
                let byte = char::from(byte).escape_default();
                return Err(PageError::Malformed(format!("`{byte}` {place}")));
            }
        };
        Ok(Step::Done)
    }

    fn consume(&mut self, state: State) -> State {
        self.read += 1;
        state
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.buffer.get(self.read) {
            self.read += 1;
        }
    }

    /// A name and the colon after it.
    fn name(&mut self) -> Result<Step, PageError> {
        let Some((name, used)) = self.parse::<Cow<'_, str>>()? else {
            return Ok(Step::NeedsMore);
        };
        let rest = &self.buffer[self.read + used..];
        let Some(colon) = rest.iter().position(|byte| !b" \n\r\t".contains(byte)) else {
            return Ok(Step::NeedsMore);
        };
        if rest[colon] != b':' {
            return Err(PageError::Malformed("a field without a value".to_owned()));
        }
        let field = match &*name {
            "kind" => Field::Kind,
            "metadata" => Field::Metadata,
            "items" if self.items_seen => {
                return Err(PageError::Malformed("`items` twice".to_owned()));
            }
            "items" => Field::Items,
            _ => Field::Other,
        };
        self.read += used + colon + 1;
        self.state = State::Value(field);
        Ok(Step::Done)
    }

    fn value(&mut self, field: Field) -> Result<Step, PageError> {
        let used = match field {
            Field::Kind => {
                let Some((kind, used)) = self.parse::<Cow<'_, str>>()? else {
                    return Ok(Step::NeedsMore);
                };
                if !kind.ends_with("List") {
                    let kind = crate::model::Untrusted::from(&*kind).visible();
                    return Err(PageError::Malformed(format!("its kind is `{kind}`")));
                }
                self.kind_seen = true;
                used
            }
            Field::Metadata => {
                let Some((meta, used)) = self.parse::<Option<ListMeta>>()? else {
                    return Ok(Step::NeedsMore);
                };
                self.meta = Some(meta.unwrap_or_default());
                used
            }
            Field::Items => {
                let Some((None, used)) = self.parse::<Option<IgnoredAny>>()? else {
                    if self.buffer[self.read] == b'n' {
                        return Ok(Step::NeedsMore);
                    }
                    return Err(PageError::Malformed("`items` is not an array".to_owned()));
                };
                self.items_seen = true;
                used
            }
            Field::Other => {
                let Some((_, used)) = self.parse::<IgnoredAny>()? else {
                    return Ok(Step::NeedsMore);
                };
                // The digits of a number may go on in the next chunk.
                if self.read + used == self.buffer.len() {
                    return Ok(Step::NeedsMore);
                }
                used
            }
        };
        self.read += used;
        self.state = State::AfterValue;
        Ok(Step::Done)
    }

    fn item(&mut self, objects: &mut Vec<Object>) -> Result<Step, PageError> {
        let mut input = serde_json::Deserializer::from_slice(&self.buffer[self.read..]);
        let root = Root {
            decoder: self.decoder,
            bench: &self.bench,
        };
        match root.deserialize(&mut input) {
            Ok(node) => {
                let used = input.into_iter::<IgnoredAny>().byte_offset();
                if used > self.limits.item {
                    return Err(PageError::TooLarge {
                        what: "an object",
                        limit: self.limits.item,
                    });
                }
                self.read += used;
                self.state = State::AfterItem;
                objects.push(self.decoder.object(node));
                Ok(Step::Done)
            }
            Err(error) if error.is_eof() => Ok(Step::NeedsMore),
            Err(error) => Err(malformed(&error)),
        }
    }

    /// A value at the beginning of what is unread, and its length; `None` if it is not complete.
    fn parse<'b, T: Deserialize<'b>>(&'b self) -> Result<Option<(T, usize)>, PageError> {
        let mut input = serde_json::Deserializer::from_slice(&self.buffer[self.read..]);
        match T::deserialize(&mut input) {
            Ok(value) => Ok(Some((value, input.into_iter::<IgnoredAny>().byte_offset()))),
            Err(error) if error.is_eof() => Ok(None),
            Err(error) => Err(malformed(&error)),
        }
    }
}

/// The class of a JSON error. Its text is not passed on: it can quote what must not be kept.
fn malformed(error: &serde_json::Error) -> PageError {
    PageError::Malformed(match error.classify() {
        serde_json::error::Category::Data => "a value has the wrong type".to_owned(),
        _ => "the JSON is broken or nested too deeply".to_owned(),
    })
}

impl PageDecoder for JsonPage<'_> {
    fn push(&mut self, chunk: &[u8], objects: &mut Vec<Object>) -> Result<(), PageError> {
        self.total += chunk.len();
        if self.total > self.limits.page {
            return Err(PageError::TooLarge {
                what: "a page",
                limit: self.limits.page,
            });
        }
        // What is unread is moved to the front only where that is little, or much was read.
        if self.read > self.buffer.len() / 2 {
            self.buffer.drain(..self.read);
            self.read = 0;
        }
        self.buffer.extend_from_slice(chunk);
        self.run(objects, false)
    }

    fn meta(&self) -> Option<&ListMeta> {
        self.meta.as_ref()
    }

    fn finish(&mut self, objects: &mut Vec<Object>) -> Result<ListMeta, PageError> {
        self.run(objects, true)?;
        if self.state != State::End {
            return Err(PageError::Truncated(self.total));
        }
        if !self.kind_seen || !self.items_seen {
            let missing = if self.kind_seen { "items" } else { "kind" };
            return Err(PageError::Malformed(format!("it has no `{missing}`")));
        }
        Ok(self.meta.take().unwrap_or_default())
    }
}
