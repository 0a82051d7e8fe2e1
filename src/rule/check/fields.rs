//! The parts that every file is made of: mappings, texts, words and lists, each with its problems.

use std::{ops::Range, str::FromStr};

use crate::model::{
    Problem,
    yaml::{Key, Source, Value, Written},
};

/// Longest id of a rule.
const MAX_ID: usize = 40;

/// A mapping whose keys are taken one by one; what nobody asked for is unknown.
pub(super) struct Fields<'w> {
    whole: &'w Written,
    entries: Vec<(&'w Key, &'w Written, bool)>,
    asked: Vec<&'static str>,
}

impl<'w> Fields<'w> {
    /// The value of a key, if it is there.
    pub fn take(&mut self, name: &'static str) -> Option<&'w Written> {
        self.asked.push(name);
        let (_, value, taken) = self
            .entries
            .iter_mut()
            .find(|(key, _, _)| key.name == name)?;
        *taken = true;
        Some(value)
    }

    /// Keys and values of a mapping whose keys are names of the author's choice.
    pub fn named(&self) -> impl Iterator<Item = (&'w Key, &'w Written)> {
        self.entries.iter().map(|(key, value, _)| (*key, *value))
    }
}

/// Collects the problems of one file.
pub(super) struct Checker<'s> {
    pub source: &'s Source,
    pub problems: Vec<Problem>,
}

impl<'s> Checker<'s> {
    pub fn new(source: &'s Source) -> Self {
        Checker {
            source,
            problems: Vec::new(),
        }
    }

    pub fn finish<T>(self, meant: T) -> Result<T, Vec<Problem>> {
        if self.problems.is_empty() {
            Ok(meant)
        } else {
            Err(self.problems)
        }
    }

    pub fn report(&mut self, span: Range<usize>, message: impl Into<String>) -> &mut Problem {
        let at = self.problems.len();
        self.problems.push(self.source.error(span, message));
        &mut self.problems[at]
    }

    pub fn wrong(&mut self, written: &Written, name: &str, want: &str) {
        let message = match &written.value {
            Value::Text(text) if text.len() <= 40 => {
                format!("`{name}` must be {want}, not `{text}`")
            }
            Value::Int(number) => format!("`{name}` must be {want}, not {number}"),
            _ => format!("`{name}` must be {want}, not {}", written.kind()),
        };
        self.report(written.span.clone(), message);
    }

    /// The mapping that a value is.
    pub fn fields<'w>(&mut self, written: &'w Written, what: &str) -> Option<Fields<'w>> {
        let Value::Map(entries) = &written.value else {
            let message = format!("{what} must be a mapping, not {}", written.kind());
            self.report(written.span.clone(), message);
            return None;
        };
        Some(Fields {
            whole: written,
            entries: entries.iter().map(|(k, v)| (k, v, false)).collect(),
            asked: Vec::new(),
        })
    }

    /// The items of a list of at most `most`, since what a hostile file repeats costs time.
    pub fn items<'w>(&mut self, written: &'w Written, name: &str, most: usize) -> &'w [Written] {
        let Value::List(items) = &written.value else {
            self.wrong(written, name, "a list");
            return &[];
        };
        if let Some(first) = items.get(most) {
            let message = format!("`{name}` has {} items; {most} is the limit", items.len());
            self.report(first.span.clone(), message);
        }
        &items[..items.len().min(most)]
    }

    /// Reports the keys that nobody took. Everything known must have been asked for before.
    pub fn unknown(&mut self, fields: &Fields<'_>) {
        for (key, _, taken) in &fields.entries {
            if *taken {
                continue;
            }
            // Nobody reads the help of the thousandth unknown key, and it takes time to find.
            let near = (self.problems.len() < 100)
                .then(|| did_you_mean(&key.name, fields.asked.iter().copied()));
            let help = near
                .flatten()
                .unwrap_or_else(|| format!("known keys: {}", fields.asked.join(", ")));
            self.report(key.span.clone(), format!("unknown key `{}`", key.name))
                .help = Some(help);
        }
    }

    /// The value of a key that must be there.
    pub fn required<'w>(
        &mut self,
        fields: &mut Fields<'w>,
        name: &'static str,
    ) -> Option<&'w Written> {
        let value = fields.take(name);
        if value.is_none() {
            self.missing(fields, &format!("`{name}`"));
        }
        value
    }

    pub fn missing(&mut self, fields: &Fields<'_>, what: &str) {
        let start = fields.whole.span.start;
        self.report(start..start, format!("{what} is missing"));
    }

    /// A text that is not blank.
    pub fn text(&mut self, written: &Written, name: &str) -> Option<String> {
        match &written.value {
            Value::Text(text) if text.trim().is_empty() => {
                self.report(written.span.clone(), format!("`{name}` is empty"));
                None
            }
            Value::Text(text) => Some(text.clone()),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
                self.wrong(written, name, "a string");
                self.help("put it in quotes");
                None
            }
            _ => {
                self.wrong(written, name, "a string");
                None
            }
        }
    }

    /// Adds what to do about the problem that was reported last.
    pub fn help(&mut self, help: &str) {
        if let Some(problem) = self.problems.last_mut() {
            problem.help = Some(help.to_owned());
        }
    }

    pub fn required_text(&mut self, fields: &mut Fields<'_>, name: &'static str) -> String {
        let text = self
            .required(fields, name)
            .and_then(|written| self.text(written, name));
        text.unwrap_or_default()
    }

    pub fn optional_text(&mut self, fields: &mut Fields<'_>, name: &'static str) -> Option<String> {
        let written = fields.take(name)?;
        self.text(written, name)
    }

    /// A word of a vocabulary.
    pub fn word<W: FromStr<Err: ToString>>(&mut self, written: &Written, name: &str) -> Option<W> {
        let Value::Text(word) = &written.value else {
            self.wrong(written, name, "a word");
            return None;
        };
        match word.parse() {
            Ok(word) => Some(word),
            Err(error) => {
                let message = format!("`{name}`: {}", error.to_string());
                self.report(written.span.clone(), message);
                None
            }
        }
    }

    pub fn required_word<W: FromStr<Err: ToString>>(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
    ) -> Option<W> {
        let written = self.required(fields, name)?;
        self.word(written, name)
    }

    pub fn boolean(&mut self, fields: &mut Fields<'_>, name: &'static str) -> Option<bool> {
        let written = fields.take(name)?;
        match written.value {
            Value::Bool(value) => Some(value),
            _ => {
                self.wrong(written, name, "true or false");
                None
            }
        }
    }

    /// Strings with their places.
    pub fn texts(&mut self, written: &Written, name: &str) -> Vec<(String, Range<usize>)> {
        let items = self.items(written, name, 64);
        items
            .iter()
            .filter_map(|item| Some((self.text(item, name)?, item.span.clone())))
            .collect()
    }

    /// Ids of rules with their places.
    pub fn ids(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
    ) -> Vec<(String, Range<usize>)> {
        let Some(written) = fields.take(name) else {
            return Vec::new();
        };
        let mut ids = self.texts(written, name);
        ids.retain(|(id, span)| self.id(id, span.clone()));
        ids
    }

    /// Whether a text is a rule's id; reported if not.
    pub fn id(&mut self, id: &str, span: Range<usize>) -> bool {
        let good = is_slug(id) && id.len() <= MAX_ID;
        if !good {
            self.report(
                span,
                format!("`{id}` is no rule id: lower-case words joined by `-`, at most {MAX_ID} characters"),
            );
        }
        good
    }
}

/// Whether a text is made of lower-case words and digits joined by single hyphens.
pub(in crate::rule) fn is_slug(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    text.split('-').all(word)
}

/// Help for a name that is not known but much like one that is.
pub(in crate::rule) fn did_you_mean<'n>(
    name: &str,
    known: impl Iterator<Item = &'n str>,
) -> Option<String> {
    if name.len() > 2 * MAX_ID {
        return None;
    }
    known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .map(|(_, known)| format!("did you mean `{known}`?"))
}
