//! Any folder of text becomes a dataset, the same bytes on every machine.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use chasqui_engine::config::LlamaConfig;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;
use tokenizers::Tokenizer;

use super::{Header, HEADER_BYTES, MAX_VOCABULARY};
use crate::diloco::files::{draft_of, publish};
use crate::error::{Result, TrainingError};

/// Folders nested deeper are an error: nobody's text lies there.
const MAX_DEPTH: usize = 64;
/// More files are an error: their names are held in memory.
const MAX_FILES: usize = 1 << 20;
/// Longest `tokenizer.json`, in bytes.
const MAX_TOKENIZER_BYTES: u64 = 64 << 20;

/// What is taken of a folder, and what is held out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOptions {
    /// Longer files are left out.
    pub max_file_bytes: u64,
    /// Share of the documents that is held out, parts per million; which ones follows from their content.
    pub held_out_ppm: u32,
    /// Only files whose names end so (without the dot); all if empty.
    pub extensions: Vec<String>,
    /// Reading ends after the document with which so many tokens are reached.
    pub max_tokens: u64,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            max_file_bytes: 4 << 20,
            held_out_ppm: 20_000,
            extensions: Vec::new(),
            max_tokens: u64::MAX,
        }
    }
}

/// How far building is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildProgress {
    /// Files read or left out.
    pub files: usize,
    /// Files in all.
    pub of: usize,
    /// Tokens so far.
    pub tokens: u64,
}

/// What was built and what was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildReport {
    /// Documents taken.
    pub documents: u64,
    /// Of these, held out.
    pub held_out_documents: u64,
    /// Tokens in all.
    pub tokens: u64,
    /// Of these, held out.
    pub held_out_tokens: u64,
    /// Bytes of the documents.
    pub text_bytes: u64,
    /// Files longer than allowed.
    pub too_long: u64,
    /// Files that are not UTF-8, or hold nothing.
    pub no_text: u64,
    /// Files with the content of an earlier one.
    pub repeated: u64,
}

/// Text to tokens as a checkpoint's tokenizer gives them, every document ended.
pub struct TextEncoder {
    tokenizer: Tokenizer,
    hash: H256,
    vocabulary: u32,
    end: u32,
}

impl TextEncoder {
    /// Of the model folder `dir`: its `tokenizer.json`, and the first end-of-text token of its `config.json`.
    ///
    /// # Errors
    /// A file is missing or damaged, or the configuration names no end-of-text token.
    pub fn from_dir(dir: &Path) -> Result<Self> {
        let config = LlamaConfig::from_file(&dir.join("config.json"))?;
        let path = dir.join("tokenizer.json");
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(MAX_TOKENIZER_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| TrainingError::read(&path, error))?;
        if bytes.len() as u64 > MAX_TOKENIZER_BYTES {
            return Err(TrainingError::Tokenizer(format!(
                "{} has more than {MAX_TOKENIZER_BYTES} bytes",
                path.display()
            )));
        }
        let Some(&end) = config.eos_token_ids.first() else {
            return Err(TrainingError::Tokenizer(format!(
                "{} has no `eos_token_id`, which ends documents",
                dir.join("config.json").display()
            )));
        };
        Self::from_bytes(&bytes, end)
    }

    /// Of the bytes of a `tokenizer.json`; `end` ends documents.
    ///
    /// # Errors
    /// It is no tokenizer, has a vocabulary that no dataset can have, or does not know `end`.
    pub fn from_bytes(bytes: &[u8], end: u32) -> Result<Self> {
        let tokenizer = Tokenizer::from_bytes(bytes)
            .map_err(|error| TrainingError::Tokenizer(error.to_string()))?;
        let highest = tokenizer.get_vocab(true).into_values().max().unwrap_or(0);
        let vocabulary = highest.saturating_add(1);
        if !(2..=MAX_VOCABULARY).contains(&vocabulary) || end >= vocabulary {
            return Err(TrainingError::Tokenizer(format!(
                "a vocabulary of {vocabulary} with the end token {end} makes no dataset"
            )));
        }
        Ok(Self {
            tokenizer,
            hash: H256(blake2_256(bytes)),
            vocabulary,
            end,
        })
    }

    /// BLAKE2b-256 of `tokenizer.json`.
    pub fn hash(&self) -> H256 {
        self.hash
    }

    /// One more than the highest id.
    pub fn vocabulary(&self) -> u32 {
        self.vocabulary
    }

    /// Tokens of one document, ended.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn document(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self
            .tokenizer
            .encode_fast(text, true)
            .map_err(|error| TrainingError::Tokenizer(error.to_string()))?;
        let mut ids = encoding.get_ids().to_vec();
        if ids.last() != Some(&self.end) {
            ids.push(self.end);
        }
        Ok(ids)
    }
}

/// The files under `folder` that `options` take, sorted by path. Links are not followed.
///
/// # Errors
/// A folder cannot be read, is nested too deep, or there are too many files.
pub fn find_texts(folder: &Path, options: &BuildOptions) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_path_buf(), 0)];
    while let Some((dir, depth)) = folders.pop() {
        let failed = |error| TrainingError::read(&dir, error);
        for entry in fs::read_dir(&dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
            if kind.is_dir() {
                if depth == MAX_DEPTH {
                    return Err(TrainingError::dataset(
                        &path.display().to_string(),
                        format!("lies more than {MAX_DEPTH} folders deep"),
                    ));
                }
                folders.push((path, depth + 1));
            } else if kind.is_file() && takes(options, &path) {
                files.push(path);
            }
        }
        if files.len() > MAX_FILES {
            return Err(TrainingError::dataset(
                &folder.display().to_string(),
                format!("has more than {MAX_FILES} files"),
            ));
        }
    }
    files.sort();
    Ok(files)
}

fn takes(options: &BuildOptions, path: &Path) -> bool {
    options.extensions.is_empty()
        || path.extension().is_some_and(|found| {
            options
                .extensions
                .iter()
                .any(|wanted| found == wanted.as_str())
        })
}

/// Writes the texts of `folders` as a dataset to `out`, one document at a time; `progress` is told after each. The same
/// texts under the same names give the same bytes wherever the folders lie. `out` appears only when it is complete.
///
/// # Errors
/// A folder or file cannot be read or written, the tokenizer fails, or there is no text to train on.
pub fn build(
    folders: &[&Path],
    encoder: &TextEncoder,
    out: &Path,
    options: &BuildOptions,
    mut progress: impl FnMut(BuildProgress),
) -> Result<BuildReport> {
    let mut files = Vec::new();
    for folder in folders {
        files.extend(find_texts(folder, options)?);
    }
    let mut header = Header {
        tokenizer: encoder.hash,
        vocabulary: encoder.vocabulary,
        end: encoder.end,
        tokens: 0,
        held_out: 0,
    };
    let mut writer = Writer::create(out, header.width())?;
    let mut report = BuildReport::default();
    let mut seen = HashSet::new();
    for (index, path) in files.iter().enumerate() {
        if report.tokens >= options.max_tokens {
            break;
        }
        if let Some(text) = read_text(path, options.max_file_bytes, &mut report)? {
            let hash = blake2_256(text.as_bytes());
            if !seen.insert(hash) {
                report.repeated += 1;
            } else {
                let ids = encoder.document(&text)?;
                let held_out = is_held_out(&hash, options.held_out_ppm);
                writer.append(&ids, held_out)?;
                let count = ids.len() as u64;
                report.documents += 1;
                report.tokens += count;
                report.text_bytes += text.len() as u64;
                if held_out {
                    report.held_out_documents += 1;
                    report.held_out_tokens += count;
                }
            }
        }
        progress(BuildProgress {
            files: index + 1,
            of: files.len(),
            tokens: report.tokens,
        });
    }
    if report.tokens == report.held_out_tokens {
        let names: Vec<String> = folders
            .iter()
            .map(|dir| dir.display().to_string())
            .collect();
        return Err(TrainingError::dataset(
            &names.join(", "),
            format!(
                "of {} files none gives text to train on ({} too long, {} no UTF-8 text, {} held out)",
                files.len(),
                report.too_long,
                report.no_text,
                report.held_out_documents
            ),
        ));
    }
    header.tokens = report.tokens;
    header.held_out = report.held_out_tokens;
    writer.finish(&header)?;
    Ok(report)
}

/// Whether the document with this hash is held out.
fn is_held_out(hash: &[u8; 32], ppm: u32) -> bool {
    let word = u64::from(u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]));
    (word * 1_000_000) >> 32 < u64::from(ppm)
}

fn read_text(path: &Path, limit: u64, report: &mut BuildReport) -> Result<Option<String>> {
    let failed = |error| TrainingError::read(path, error);
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(failed)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > limit {
        report.too_long += 1;
        return Ok(None);
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.trim().is_empty() => Ok(Some(text)),
        _ => {
            report.no_text += 1;
            Ok(None)
        }
    }
}

/// The dataset on its way: held-out tokens wait in a file of their own until all others are written.
struct Writer {
    out: PathBuf,
    draft: PathBuf,
    waiting: PathBuf,
    file: BufWriter<File>,
    held_out: BufWriter<File>,
    width: u64,
}

impl Writer {
    fn create(out: &Path, width: u64) -> Result<Self> {
        let draft = draft_of(out);
        let waiting = draft_of(&draft);
        let create = |path: &Path| {
            File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(path)
                .map(BufWriter::new)
                .map_err(|error| TrainingError::write(path, error))
        };
        let mut writer = Self {
            out: out.to_path_buf(),
            file: create(&draft)?,
            held_out: create(&waiting)?,
            draft,
            waiting,
            width,
        };
        writer
            .file
            .write_all(&[0; HEADER_BYTES as usize])
            .map_err(|error| TrainingError::write(&writer.draft, error))?;
        Ok(writer)
    }

    fn append(&mut self, ids: &[u32], held_out: bool) -> Result<()> {
        let mut bytes = Vec::with_capacity(ids.len() * self.width as usize);
        for id in ids {
            let word = id.to_le_bytes();
            // Ids are below the vocabulary, which fits the width.
            bytes.extend_from_slice(&word[..self.width as usize]);
        }
        let (file, path) = match held_out {
            true => (&mut self.held_out, &self.waiting),
            false => (&mut self.file, &self.draft),
        };
        file.write_all(&bytes)
            .map_err(|error| TrainingError::write(path, error))
    }

    fn finish(mut self, header: &Header) -> Result<()> {
        let failed = |error| TrainingError::write(&self.draft, error);
        self.held_out.flush().map_err(failed)?;
        let held_out = self.held_out.get_mut();
        held_out.seek(SeekFrom::Start(0)).map_err(failed)?;
        std::io::copy(held_out, &mut self.file).map_err(failed)?;
        self.file.flush().map_err(failed)?;
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        file.write_all(&header.encode()).map_err(failed)?;
        let file = file.try_clone().map_err(failed)?;
        publish(file, &self.draft, &self.out)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Ours by name; the draft is gone when it was published.
        let _ = fs::remove_file(&self.draft);
        let _ = fs::remove_file(&self.waiting);
    }
}
