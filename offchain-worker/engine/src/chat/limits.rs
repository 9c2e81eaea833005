//! What a chat template may use up.
//!
//! A template is a program out of a model folder, and nobody vouches for it. The template engine
//! stops endless loops (fuel) and deep recursion by itself, but not memory: a few assignments that
//! double a string fill any machine. So a template is rewritten before it is compiled: every value
//! that outlives its expression, and what every filter makes, passes a filter that charges its
//! size to the budget of the rendering, and so does the text of every round of a loop or call of a
//! macro. Within one expression, growth is bounded by the number of operations that may stand in
//! it. Constructs that
//! would go around this, and that chat templates do without, are refused.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use minijinja::machinery::{Span, Token, Tokenizer};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

/// Longest template in bytes; published ones stay below 20 KiB.
pub(super) const MAX_TEMPLATE_BYTES: usize = 128 << 10;
/// Instructions of the template engine for one rendering.
pub(super) const FUEL: u64 = 2_000_000;
/// Nesting of calls as the template engine counts it; a macro's call counts as four.
pub(super) const RECURSION: usize = 200;

/// Bytes that a rendering may make before it has seen any message.
const BASE_BYTES: u64 = 2 << 20;
/// Bytes that it may make for each byte of its messages.
const BYTES_PER_INPUT: u64 = 16;
/// Longer than any honest template takes; counts only when something slipped through the rest.
const MAX_TIME: Duration = Duration::from_secs(20);
/// What a value costs besides its text.
const VALUE_BYTES: u64 = 16;
/// Depth to which values may be nested.
const MAX_DEPTH: usize = 32;

/// Tokens of one tag.
const MAX_TAG_TOKENS: usize = 1_024;
/// Tokens of one tag that begin something that may make a new value: `+ ~ | ( [ {`.
const MAX_OPERATIONS: usize = 64;
/// Tokens of one tag on which the template engine's parser recurses without a limit of its own.
const MAX_PREFIXES: usize = 64;
/// Open brackets at once.
const MAX_BRACKETS: usize = 24;
/// Open statements at once.
const MAX_OPEN: usize = 32;
/// Alternatives (`elif`) of the whole template.
const MAX_ELIFS: usize = 128;

/// Filters that the rewritten template calls. A template that calls them itself is charged twice.
pub(super) const CHARGE: &str = "_charge";
pub(super) const CHARGE_ATTRIBUTE: &str = "_charge_attribute";
pub(super) const ROUND: &str = "_round";

/// Bytes that are left to one rendering.
#[derive(Debug)]
pub(super) struct Budget {
    left: AtomicU64,
    until: Instant,
}

impl Budget {
    /// For messages of `input` bytes.
    pub(super) fn new(input: usize) -> Self {
        let bytes = BASE_BYTES + BYTES_PER_INPUT * input as u64;
        Self {
            left: AtomicU64::new(bytes),
            until: Instant::now() + MAX_TIME,
        }
    }

    /// Takes `bytes` off.
    pub(super) fn charge(&self, bytes: usize) -> Result<(), Error> {
        let take = |left: u64| left.checked_sub(bytes as u64);
        if Instant::now() > self.until {
            return Err(fail("the template takes too long"));
        }
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .map(|_| ())
            .map_err(|_| fail("the template makes more text than the messages account for"))
    }

    /// Takes off what `value` holds, counted as if nothing in it were shared.
    pub(super) fn charge_value(&self, value: &Value) -> Result<(), Error> {
        self.charge(0)?;
        self.weigh(value, 0, false)
    }

    /// As [`Self::charge_value`], for what a namespace is to hold: data only. A namespace within
    /// a namespace could contain itself.
    pub(super) fn charge_attribute(&self, value: &Value) -> Result<(), Error> {
        self.charge(0)?;
        self.weigh(value, 0, true)
    }

    fn weigh(&self, value: &Value, depth: usize, data_only: bool) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(fail("values are nested too deeply"));
        }
        let text = value.as_str().map_or(0, str::len);
        self.charge(VALUE_BYTES as usize + text)?;
        let is = |name| {
            let object = value.as_object();
            object.is_some_and(|object| object.type_name().ends_with(name))
        };
        if is("::Namespace") && (data_only || depth > 0) {
            return Err(fail("a namespace cannot be kept within another value"));
        }
        if is("::Macro") && data_only {
            return Err(fail("only data can be kept in a namespace"));
        }
        match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => {
                for item in value.try_iter()? {
                    self.weigh(&item, depth + 1, data_only)?;
                }
            }
            ValueKind::Map => {
                for key in value.try_iter()? {
                    self.weigh(&value.get_item(&key)?, depth + 1, data_only)?;
                    self.weigh(&key, depth + 1, data_only)?;
                }
            }
            ValueKind::Plain if data_only => {
                return Err(fail("only data can be kept in a namespace"));
            }
            ValueKind::Bytes => self.charge(value.as_bytes().map_or(0, <[u8]>::len))?,
            _ => {}
        }
        Ok(())
    }
}

/// Text of limited length: what does not fit the budget is an error while it is written.
pub(super) struct Limited<'a> {
    pub(super) text: String,
    budget: &'a Budget,
    failure: Option<Error>,
}

impl<'a> Limited<'a> {
    pub(super) fn new(budget: &'a Budget) -> Self {
        Self {
            text: String::new(),
            budget,
            failure: None,
        }
    }

    /// The text, or why it was cut.
    pub(super) fn finish(self) -> Result<String, Error> {
        match self.failure {
            None => Ok(self.text),
            Some(error) => Err(error),
        }
    }
}

impl std::fmt::Write for Limited<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        match self.budget.charge(text.len()) {
            Ok(()) => {
                self.text.push_str(text);
                Ok(())
            }
            Err(error) => {
                self.failure.get_or_insert(error);
                Err(std::fmt::Error)
            }
        }
    }
}

pub(super) fn fail(reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}

/// A `{% … %}` or `{{ … }}`.
struct Tag<'a> {
    statement: bool,
    tokens: Vec<(Token<'a>, Span)>,
    /// Its closing marker, whitespace control included.
    close: Span,
}

/// A loop or macro whose body has begun.
struct Body {
    /// Which edit waits for the length of its text.
    edit: usize,
    /// How that edit goes on behind the length.
    rest: String,
    text: usize,
}

/// Replaces the bytes from `start` to `end` by `text`.
struct Edit {
    start: usize,
    end: usize,
    text: String,
}

/// Rewrites templates; see the module's description.
#[derive(Default)]
struct Rewriter {
    edits: Vec<Edit>,
    bodies: Vec<Body>,
    open: usize,
    elifs: usize,
}

/// `source` with charges written into it.
///
/// # Errors
/// The line and what is refused there, or that the source is not a template at all.
pub(super) fn fenced(source: &str) -> Result<String, String> {
    if source.len() > MAX_TEMPLATE_BYTES {
        return Err(format!(
            "has {} bytes; at most {MAX_TEMPLATE_BYTES} are read",
            source.len()
        ));
    }
    let mut tokens = Tokenizer::new(source, "template", false, SyntaxConfig::default());
    let mut rewriter = Rewriter::default();
    let mut tag: Option<Tag> = None;
    while let Some((token, span)) = tokens.next_token().map_err(|error| error.to_string())? {
        match token {
            Token::TemplateData(text) => {
                if let Some(body) = rewriter.bodies.last_mut() {
                    body.text += text.len();
                }
            }
            Token::BlockStart | Token::VariableStart => {
                tag = Some(Tag {
                    statement: matches!(token, Token::BlockStart),
                    tokens: Vec::new(),
                    close: span,
                });
            }
            Token::BlockEnd | Token::VariableEnd => {
                if let Some(mut whole) = tag.take() {
                    whole.close = span;
                    rewriter
                        .visit(source, &whole)
                        .map_err(|reason| format!("line {}: {reason}", span.start_line))?;
                }
            }
            token => {
                if let Some(tag) = &mut tag {
                    tag.tokens.push((token, span));
                }
            }
        }
    }
    rewriter.apply(source)
}

impl Rewriter {
    fn visit(&mut self, source: &str, tag: &Tag) -> Result<(), String> {
        check_size(tag)?;
        self.filters(tag);
        let keyword = match tag.tokens.first() {
            Some((Token::Ident(keyword), _)) if tag.statement => *keyword,
            _ => return Ok(()),
        };
        match keyword {
            "set" => {
                if find(tag, |token| matches!(token, Token::Assign)).is_none() {
                    self.begin()?;
                }
                self.set(tag);
            }
            "for" => {
                self.begin()?;
                self.for_loop(source, tag)?;
            }
            "macro" => {
                self.begin()?;
                self.macro_body(source, tag);
            }
            "if" => self.begin()?,
            "elif" => {
                self.elifs += 1;
                if self.elifs > MAX_ELIFS {
                    return Err(format!("has more than {MAX_ELIFS} times `elif`"));
                }
            }
            "endfor" | "endmacro" => {
                self.end();
                self.end_body();
            }
            "endif" | "endset" => self.end(),
            // Marks what an assistant said, for training; the text is what counts here.
            "generation" => {
                self.begin()?;
                self.replace(tag, "if true");
            }
            "endgeneration" => {
                self.end();
                self.replace(tag, "endif");
            }
            "else" | "break" | "continue" | "do" => {}
            other => {
                return Err(format!(
                    "`{{% {other} %}}` is not supported in chat templates"
                ))
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), String> {
        self.open += 1;
        match self.open > MAX_OPEN {
            true => Err(format!("has more than {MAX_OPEN} nested statements")),
            false => Ok(()),
        }
    }

    fn end(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.edits.push(Edit {
            start: at,
            end: at,
            text: text.into(),
        });
    }

    /// Replaces a tag's keyword.
    fn replace(&mut self, tag: &Tag, text: &str) {
        let span = tag.tokens[0].1;
        self.edits.push(Edit {
            start: span.start_offset as usize,
            end: span.end_offset as usize,
            text: text.into(),
        });
    }

    /// Wraps what stands from `start` to `end` into a filter.
    fn wrap(&mut self, start: usize, end: usize, filter: &str) {
        self.insert(start, " (");
        self.insert(end, format!(")|{filter} "));
    }

    /// Charges what filters make: lists out of strings take many times their room.
    fn filters(&mut self, tag: &Tag) {
        for (index, (token, _)) in tag.tokens.iter().enumerate() {
            if !matches!(token, Token::Pipe) {
                continue;
            }
            // The name, then the arguments, if there are any.
            let mut last = index + 1;
            let mut depth = 0;
            for (at, (token, _)) in tag.tokens.iter().enumerate().skip(index + 2) {
                if depth == 0 && !matches!(token, Token::ParenOpen) {
                    break;
                }
                depth = step(depth, token);
                last = at;
                if depth == 0 {
                    break;
                }
            }
            if let Some((_, span)) = tag.tokens.get(last) {
                self.insert(span.end_offset as usize, format!("|{CHARGE}"));
            }
        }
    }

    fn set(&mut self, tag: &Tag) {
        // Without `=` it is a block, whose text is charged as it is written.
        let Some(assign) = find(tag, |token| matches!(token, Token::Assign)) else {
            return;
        };
        let dotted = tag.tokens[..assign]
            .iter()
            .any(|(token, _)| matches!(token, Token::Dot));
        let filter = if dotted { CHARGE_ATTRIBUTE } else { CHARGE };
        let start = tag.tokens[assign].1.end_offset as usize;
        self.wrap(start, tag.close.start_offset as usize, filter);
    }

    fn for_loop(&mut self, source: &str, tag: &Tag) -> Result<(), String> {
        let is = |name: &'static str| move |token: &Token| matches!(token, Token::Ident(found) if *found == name);
        if let Some(start) = find(tag, is("in")) {
            if find(tag, is("recursive")).is_some_and(|at| at > start) {
                return Err("`recursive` loops are not supported in chat templates".into());
            }
            let end = match find_from(tag, start + 1, is("if")) {
                Some(at) => tag.tokens[at].1.start_offset,
                None => tag.close.start_offset,
            };
            let start = tag.tokens[start].1.end_offset as usize;
            self.wrap(start, end as usize, CHARGE);
        }
        self.begin_body(source, tag, String::new());
        Ok(())
    }

    fn macro_body(&mut self, source: &str, tag: &Tag) {
        let mut arguments = String::new();
        let mut depth = 0;
        for pair in tag.tokens.windows(2) {
            depth = step(depth, &pair[0].0);
            if let (Token::ParenOpen | Token::Comma, Token::Ident(name), 1) =
                (&pair[0].0, &pair[1].0, depth)
            {
                arguments += &format!("{{% set {name} = {name}|{CHARGE} ");
                arguments += "%}";
            }
        }
        self.begin_body(source, tag, arguments);
    }

    /// Puts a charge for the body's own text behind the tag, with the tag's own closing marker,
    /// so that whitespace is controlled as before.
    fn begin_body(&mut self, source: &str, tag: &Tag, mut rest: String) {
        let close = tag.close.start_offset as usize..tag.close.end_offset as usize;
        let marker = &source[close.clone()];
        if rest.is_empty() {
            rest = format!("|{ROUND} {marker}");
        } else {
            rest.truncate(rest.len() - "%}".len());
            rest = format!("|{ROUND} %}}{rest}{marker}");
        }
        self.insert(close.end, "{% set _bounds = ");
        self.bodies.push(Body {
            edit: self.edits.len() - 1,
            rest,
            text: 0,
        });
    }

    fn end_body(&mut self) {
        if let Some(body) = self.bodies.pop() {
            let edit = &mut self.edits[body.edit];
            edit.text += &format!("{}{}", body.text, body.rest);
        }
    }

    fn apply(mut self, source: &str) -> Result<String, String> {
        if !self.bodies.is_empty() {
            return Err("a `for` or `macro` has no end".into());
        }
        // Edits of one place stay in the order in which they were made.
        self.edits.sort_by_key(|edit| edit.start);
        let mut text = String::with_capacity(2 * source.len());
        let mut at = 0;
        for edit in &self.edits {
            text += &source[at..edit.start];
            text += &edit.text;
            at = edit.end;
        }
        text += &source[at..];
        Ok(text)
    }
}

/// Depth of brackets behind a token.
fn step(depth: usize, token: &Token) -> usize {
    match token {
        Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth + 1,
        Token::ParenClose | Token::BracketClose | Token::BraceClose => depth.saturating_sub(1),
        _ => depth,
    }
}

/// The first token of a tag, outside brackets and not the name of an attribute or filter, that
/// is wanted.
fn find(tag: &Tag, wanted: impl Fn(&Token) -> bool) -> Option<usize> {
    find_from(tag, 0, wanted)
}

fn find_from(tag: &Tag, from: usize, wanted: impl Fn(&Token) -> bool) -> Option<usize> {
    let mut depth = 0;
    for (index, (token, _)) in tag.tokens.iter().enumerate() {
        let name = index > 0 && matches!(tag.tokens[index - 1].0, Token::Dot | Token::Pipe);
        if index >= from && depth == 0 && !name && wanted(token) {
            return Some(index);
        }
        depth = step(depth, token);
    }
    None
}

fn check_size(tag: &Tag) -> Result<(), String> {
    let count = |wanted: fn(&Token) -> bool| tag.tokens.iter().filter(|(t, _)| wanted(t)).count();
    let operations = count(|token| {
        matches!(
            token,
            Token::Plus
                | Token::Tilde
                | Token::Pipe
                | Token::ParenOpen
                | Token::BracketOpen
                | Token::BraceOpen
        )
    });
    let prefixes = count(|token| matches!(token, Token::Minus | Token::Ident("not" | "else")));
    if operations > MAX_OPERATIONS || prefixes > MAX_PREFIXES || tag.tokens.len() > MAX_TAG_TOKENS {
        return Err("has more operations in one tag than chat templates may have".into());
    }
    if count(|token| matches!(token, Token::Mul | Token::Pow)) > 0 {
        return Err("`*` and `**` are not supported in chat templates".into());
    }
    let mut depth = 0;
    for (token, _) in &tag.tokens {
        depth = step(depth, token);
        if depth > MAX_BRACKETS {
            return Err(format!("has more than {MAX_BRACKETS} nested brackets"));
        }
    }
    Ok(())
}
