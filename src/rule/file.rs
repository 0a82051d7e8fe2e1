//! Rule files as written: which there are, where they lie and what their text is.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf, absolute},
};

use include_dir::{Dir, include_dir};

use super::check::did_you_mean;
use crate::model::{Category, Problem, yaml::Source};

/// Largest rule file, in bytes.
const MAX_BYTES: u64 = 256 * 1024;
/// Deepest folder below a directory of rules.
const MAX_DEPTH: usize = 8;
/// Most entries below a directory of rules.
const MAX_ENTRIES: usize = 10_000;

/// The rules in the program: everything under `rules/` when it was built.
static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/rules");

/// Where a file lies: what its path says of it.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// First folder.
    pub category: Category,
    /// Second folder.
    pub theme: String,
    /// Stem of the file.
    pub id: String,
}

impl Address {
    /// Whether the file is the theme's own rather than a rule's.
    pub fn is_theme(&self) -> bool {
        self.id == "theme"
    }
}

/// A file that was read.
#[derive(Clone, Debug)]
pub(super) struct RuleFile {
    /// What its path says.
    pub address: Address,
    /// Its name and text.
    pub source: Source,
}

/// What was found, and what stood in the way.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The files whose paths and texts can be used.
    pub files: Vec<RuleFile>,
    /// Problems of the others.
    pub problems: Vec<Problem>,
    /// How many files were looked at.
    pub seen: usize,
}

impl Found {
    /// Adds the rules in the program.
    pub fn add_embedded(&mut self) {
        let mut files = Vec::new();
        let mut directories = vec![&EMBEDDED];
        while let Some(directory) = directories.pop() {
            directories.extend(directory.dirs());
            files.extend(directory.files().filter(|file| is_yaml(file.path())));
        }
        files.sort_by_key(|file| file.path());
        for file in files {
            let name = format!("embedded:{}", file.path().display());
            self.add(file.path(), &name, text(file.contents()));
        }
    }

    /// Adds the files below a directory, or one file.
    pub fn add_path(&mut self, root: &Path) {
        let mut walk = Walk {
            root: fs::canonicalize(root).unwrap_or_default(),
            entries: 0,
            files: Vec::new(),
            found: self,
        };
        let is_file = fs::metadata(root).is_ok_and(|metadata| metadata.is_file());
        if is_file {
            walk.files.push(root.to_owned());
        } else {
            walk.directory(root, 0);
        }
        let mut files = walk.files;
        if files.is_empty() && self.problems.is_empty() {
            self.unreadable(root, &io::Error::other("there is no rule file below it"));
        }
        files.sort();
        for path in files {
            // A file named alone says where it lies by its whole path.
            let place = match is_file {
                true => absolute(&path).unwrap_or_default(),
                false => path.strip_prefix(root).unwrap_or(&path).to_owned(),
            };
            let text = read(&path).and_then(|bytes| text(&bytes));
            self.add(&place, &path.display().to_string(), text);
        }
    }

    /// Adds a file by what was read of it; `place` ends in category, theme and file name.
    pub fn add(&mut self, place: &Path, name: &str, text: io::Result<String>) {
        self.seen += 1;
        let text = match text {
            Ok(text) => text,
            Err(error) => return self.unreadable(Path::new(name), &error),
        };
        let source = Source {
            file: name.into(),
            text: text.into(),
        };
        match address(&source, place) {
            Ok(address) => self.files.push(RuleFile { address, source }),
            Err(problem) => self.problems.push(problem),
        }
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let source = Source {
            file: path.display().to_string().into(),
            text: "".into(),
        };
        let message = format!("cannot be read: {error}");
        self.problems.push(source.error(0..0, message));
    }
}

/// A walk below a directory.
struct Walk<'f> {
    /// The directory without links: what is outside is not read.
    root: PathBuf,
    entries: usize,
    files: Vec<PathBuf>,
    found: &'f mut Found,
}

impl Walk<'_> {
    fn directory(&mut self, path: &Path, depth: usize) {
        let entries = fs::read_dir(path).and_then(|entries| entries.collect());
        let entries: Vec<fs::DirEntry> = match entries {
            Ok(entries) => entries,
            Err(error) => return self.found.unreadable(path, &error),
        };
        if depth > MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} folders deep");
            return self.found.unreadable(path, &io::Error::other(message));
        }
        for entry in entries {
            let path = entry.path();
            // Volumes of ConfigMaps keep what their links lead to in `..data`.
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                if self.entries == MAX_ENTRIES + 1 {
                    let message = format!("more than {MAX_ENTRIES} files below {:?}", self.root);
                    self.found.unreadable(&path, &io::Error::other(message));
                }
                return;
            }
            if let Err(error) = self.entry(&entry, &path, depth) {
                self.found.unreadable(&path, &error);
            }
        }
    }

    fn entry(&mut self, entry: &fs::DirEntry, path: &Path, depth: usize) -> io::Result<()> {
        let mut kind = entry.file_type()?;
        if kind.is_symlink() {
            let target = fs::canonicalize(path);
            if !is_yaml(path) && !target.as_ref().is_ok_and(|target| target.is_dir()) {
                return Ok(());
            }
            let target = target?;
            if !target.starts_with(&self.root) {
                return Err(io::Error::other("a link out of the directory of rules"));
            }
            let inside = fs::canonicalize(path.parent().unwrap_or(path))?;
            if inside.starts_with(&target) {
                return Err(io::Error::other("a link to a folder that it lies in"));
            }
            kind = fs::metadata(&target)?.file_type();
        }
        if kind.is_dir() {
            self.directory(path, depth + 1);
        } else if kind.is_file() && is_yaml(path) {
            self.files.push(path.to_owned());
        }
        Ok(())
    }
}

/// Category, theme and id, from the last three parts of a path.
fn address(source: &Source, path: &Path) -> Result<Address, Problem> {
    let parts: Vec<&str> = path
        .iter()
        .map(|part| part.to_str().unwrap_or(""))
        .collect();
    let layout = "put it at <category>/<theme>/<id>.yaml, the category being security, operations or maturity";
    let [.., category, theme, _] = parts[..] else {
        let problem = source.error(0..0, "the path gives no category and theme");
        return Err(problem.with_help(layout));
    };
    let category = category.parse::<Category>().map_err(|error| {
        let known = Category::ALL.iter().map(|category| category.as_str());
        let help = did_you_mean(category, known).unwrap_or_else(|| layout.to_owned());
        let message = format!("the path gives no category and theme: {error}");
        source.error(0..0, message).with_help(help)
    })?;
    if !super::check::is_slug(theme) || theme.parse::<Category>().is_ok() {
        let message = format!("`{theme}` is no theme: lower-case words joined by `-`");
        return Err(source.error(0..0, message).with_help(layout));
    }
    let id = path.file_stem().and_then(|stem| stem.to_str());
    Ok(Address {
        category,
        theme: theme.to_owned(),
        id: id.unwrap_or_default().to_owned(),
    })
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Reads no more than a rule file may have, whatever the file system says of its size.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!("more than the {MAX_BYTES} bytes that a rule file may have");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

fn text(bytes: &[u8]) -> io::Result<String> {
    match str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}
