//! The Python side of chat templates: the filters, functions and methods of strings that
//! templates written for Jinja and `transformers` call, each within the rendering's budget.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{from_args, Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::limits::{self, fail, Budget, Limited};

/// Built-in filters that chat templates do without, whose results may be far longer than their
/// input.
const REMOVED_FILTERS: [&str; 9] = [
    "batch", "chain", "format", "groupby", "lines", "pprint", "slice", "split", "zip",
];

/// Widest indentation that a template may ask for.
const MAX_INDENT: usize = 64;

/// An environment that behaves as `transformers` sets up Jinja: blocks trimmed, no escaping of
/// HTML, undefined values empty.
pub(super) fn environment<'a>(budget: &Arc<Budget>, syntax: SyntaxConfig) -> Environment<'a> {
    let mut env = Environment::new();
    env.set_syntax(syntax);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_undefined_behavior(UndefinedBehavior::Lenient);
    env.set_fuel(Some(limits::FUEL));
    env.set_recursion_limit(limits::RECURSION);
    env.remove_global("debug");
    for name in REMOVED_FILTERS {
        env.remove_filter(name);
    }

    let shared = budget.clone();
    env.set_formatter(move |out, _, value| match value.as_str() {
        Some(text) => {
            shared.charge(text.len())?;
            out.write_str(text).map_err(Error::from)
        }
        None => {
            let text = text_of(&shared, value)?;
            out.write_str(&text).map_err(Error::from)
        }
    });
    let shared = budget.clone();
    env.set_unknown_method_callback(move |state, value, method, args| {
        call_method(&shared, state, value, method, args)
    });

    let shared = budget.clone();
    env.add_filter(limits::CHARGE, move |value: Value| {
        shared.charge_value(&value).map(|()| value)
    });
    let shared = budget.clone();
    env.add_filter(limits::CHARGE_ATTRIBUTE, move |value: Value| {
        shared.charge_attribute(&value).map(|()| value)
    });
    let shared = budget.clone();
    env.add_filter(limits::ROUND, move |text: usize| {
        shared.charge(text).map(|()| text)
    });

    let shared = budget.clone();
    env.add_filter("string", move |value: &Value| text_of(&shared, value));
    let shared = budget.clone();
    env.add_filter(
        "join",
        move |values: &Value, joiner: Option<&str>, attribute: Option<&str>| {
            join(&shared, values, joiner.unwrap_or(""), attribute)
        },
    );
    let shared = budget.clone();
    env.add_filter("replace", move |text: &str, from: &str, to: &str| {
        charge_replacement(&shared, text, from, to, None)?;
        Ok::<_, Error>(text.replace(from, to))
    });
    let shared = budget.clone();
    env.add_filter(
        "indent",
        move |text: &str, width: Option<usize>, first: Option<bool>, blank: Option<bool>| {
            indent(
                &shared,
                text,
                width.unwrap_or(4),
                first.unwrap_or(false),
                blank.unwrap_or(false),
            )
        },
    );
    let shared = budget.clone();
    env.add_filter(
        "tojson",
        move |value: &Value, ascii: Option<bool>, kwargs: Kwargs| {
            to_json(&shared, value, ascii, &kwargs)
        },
    );

    // What Python takes for iterable differs a little from what the template engine does.
    env.add_test("iterable", |value: &Value| {
        matches!(
            value.kind(),
            ValueKind::String
                | ValueKind::Bytes
                | ValueKind::Seq
                | ValueKind::Map
                | ValueKind::Iterable
                | ValueKind::Undefined
        )
    });
    env.add_test("sequence", |value: &Value| {
        matches!(
            value.kind(),
            ValueKind::String
                | ValueKind::Bytes
                | ValueKind::Seq
                | ValueKind::Map
                | ValueKind::Undefined
        )
    });

    env.add_function("raise_exception", |reason: String| {
        Err::<Value, _>(fail(format!(
            "the template refuses these messages: {reason}"
        )))
    });
    let shared = budget.clone();
    env.add_function("strftime_now", move |format: &str| {
        shared.charge(64 * format.len())?;
        strftime(SystemTime::now(), format)
    });
    env
}

/// `value` as Python's `str` gives it.
fn text_of(budget: &Budget, value: &Value) -> Result<String, Error> {
    let mut out = Limited::new(budget);
    // A failure is kept in `out`.
    let _ = write!(out, "{value}");
    out.finish()
}

fn join(
    budget: &Budget,
    values: &Value,
    joiner: &str,
    attribute: Option<&str>,
) -> Result<String, Error> {
    let mut out = Limited::new(budget);
    for (index, value) in values.try_iter()?.enumerate() {
        let value = match attribute {
            None => value,
            Some(name) => value.get_attr(name)?,
        };
        let separator = if index == 0 { "" } else { joiner };
        if write!(out, "{separator}{value}").is_err() {
            break;
        }
    }
    out.finish()
}

fn charge_replacement(
    budget: &Budget,
    text: &str,
    from: &str,
    to: &str,
    most: Option<usize>,
) -> Result<(), Error> {
    let found = text.matches(from).count();
    let replaced = most.map_or(found, |most| most.min(found));
    budget.charge(text.len().saturating_add(replaced.saturating_mul(to.len())))
}

fn indent(
    budget: &Budget,
    text: &str,
    width: usize,
    first: bool,
    blank: bool,
) -> Result<String, Error> {
    if width > MAX_INDENT {
        return Err(fail(format!("indents by more than {MAX_INDENT}")));
    }
    let mut out = Limited::new(budget);
    for (index, line) in text.split('\n').enumerate() {
        let separator = if index == 0 { "" } else { "\n" };
        let wanted = (index > 0 || first) && (blank || !line.is_empty());
        let width = if wanted { width } else { 0 };
        if write!(out, "{separator}{:width$}{line}", "").is_err() {
            break;
        }
    }
    out.finish()
}

/// Methods of Python's strings and dictionaries. What may be longer than its input is charged
/// before it is made.
fn call_method(
    budget: &Budget,
    state: &mut State,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        match method {
            "replace" => {
                let (from, to, most): (&str, &str, Option<i32>) = from_args(args)?;
                let most = most.and_then(|most| usize::try_from(most).ok());
                charge_replacement(budget, text, from, to, most)?;
            }
            "join" => {
                let (values,): (&Value,) = from_args(args)?;
                return join(budget, values, text, None).map(Value::from);
            }
            "split" | "splitlines" => {
                let separator = args.first().and_then(Value::as_str);
                let pieces = match separator {
                    Some(separator) => text.matches(separator).count(),
                    None => text.chars().filter(|c| c.is_whitespace()).count(),
                };
                budget.charge(40 * (pieces + 1) + text.len())?;
            }
            "format" => return Err(Error::from(ErrorKind::UnknownMethod)),
            _ => {}
        }
    }
    let made = unknown_method_callback(state, value, method, args)?;
    budget.charge(made.as_str().map_or(0, str::len))?;
    Ok(made)
}

/// The time in UTC in the notation of C's `strftime`.
fn strftime(now: SystemTime, format: &str) -> Result<String, Error> {
    let seconds = now
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok());
    let now = seconds
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .ok_or_else(|| fail("the machine's clock is out of range"))?;
    let mut text = String::new();
    match write!(text, "{}", now.format(format)) {
        Ok(()) => Ok(text),
        Err(_) => Err(fail(format!("`{format}` is not a format of dates"))),
    }
}

/// JSON as Python's `json.dumps` writes it: spaces behind separators, text not escaped beyond
/// what JSON needs. Parameters are those of the reference implementation's `tojson`.
fn to_json(
    budget: &Budget,
    value: &Value,
    ascii: Option<bool>,
    kwargs: &Kwargs,
) -> Result<String, Error> {
    let ascii = match ascii {
        Some(ascii) => Some(ascii),
        None => kwargs.get("ensure_ascii")?,
    };
    let indent: Option<usize> = kwargs.get("indent")?;
    let sorted: Option<bool> = kwargs.get("sort_keys")?;
    let separators: Option<Value> = kwargs.get("separators")?;
    kwargs.assert_all_used()?;
    if indent.is_some_and(|width| width > MAX_INDENT) {
        return Err(fail(format!("indents by more than {MAX_INDENT}")));
    }
    let item = if indent.is_some() { "," } else { ", " };
    let mut separator = [item.to_string(), ": ".to_string()];
    if let Some(given) = separators.filter(|value| !value.is_none()) {
        for (index, own) in separator.iter_mut().enumerate() {
            *own = given.get_item(&Value::from(index))?.to_string();
        }
    }
    let mut json = Json {
        out: Limited::new(budget),
        indent,
        ascii: ascii.unwrap_or(false),
        sorted: sorted.unwrap_or(false),
        separator,
    };
    match json.value(value, 0) {
        Err(JsonError::Value(error)) => Err(error),
        // A failure to write is kept in `out`.
        Ok(()) | Err(JsonError::Full) => json.out.finish(),
    }
}

struct Json<'a> {
    out: Limited<'a>,
    indent: Option<usize>,
    ascii: bool,
    sorted: bool,
    /// Between items, and between a key and its value.
    separator: [String; 2],
}

enum JsonError {
    Full,
    Value(Error),
}

impl From<std::fmt::Error> for JsonError {
    fn from(_: std::fmt::Error) -> Self {
        Self::Full
    }
}

impl From<Error> for JsonError {
    fn from(error: Error) -> Self {
        Self::Value(error)
    }
}

impl Json<'_> {
    const MAX_DEPTH: usize = 64;

    fn value(&mut self, value: &Value, depth: usize) -> Result<(), JsonError> {
        if depth > Self::MAX_DEPTH {
            return Err(fail("values are nested too deeply").into());
        }
        if let Some(text) = value.as_str() {
            return self.text(text);
        }
        match value.kind() {
            ValueKind::None => self.out.write_str("null")?,
            ValueKind::Bool if value.is_true() => self.out.write_str("true")?,
            ValueKind::Bool => self.out.write_str("false")?,
            ValueKind::Number => write!(self.out, "{value}")?,
            ValueKind::Seq | ValueKind::Iterable => {
                self.out.write_char('[')?;
                let mut count = 0;
                for item in value.try_iter()? {
                    self.separate(count, depth)?;
                    self.value(&item, depth + 1)?;
                    count += 1;
                }
                self.close(count, depth, ']')?;
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sorted {
                    keys.sort();
                }
                self.out.write_char('{')?;
                for (count, key) in keys.iter().enumerate() {
                    self.separate(count, depth)?;
                    let name = text_of_key(key)?;
                    self.text(&name)?;
                    self.out.write_str(&self.separator[1])?;
                    self.value(&value.get_item(key)?, depth + 1)?;
                }
                self.close(keys.len(), depth, '}')?;
            }
            other => return Err(fail(format!("a value of kind {other} has no JSON")).into()),
        }
        Ok(())
    }

    fn separate(&mut self, count: usize, depth: usize) -> Result<(), JsonError> {
        if count > 0 {
            self.out.write_str(&self.separator[0])?;
        }
        match self.indent {
            Some(_) => self.line(depth + 1),
            None => Ok(()),
        }
    }

    fn close(&mut self, count: usize, depth: usize, bracket: char) -> Result<(), JsonError> {
        if count > 0 && self.indent.is_some() {
            self.line(depth)?;
        }
        Ok(self.out.write_char(bracket)?)
    }

    fn line(&mut self, depth: usize) -> Result<(), JsonError> {
        let width = depth * self.indent.unwrap_or(0);
        Ok(write!(self.out, "\n{:width$}", "")?)
    }

    fn text(&mut self, text: &str) -> Result<(), JsonError> {
        self.out.write_char('"')?;
        for c in text.chars() {
            match c {
                '"' => self.out.write_str("\\\"")?,
                '\\' => self.out.write_str("\\\\")?,
                '\n' => self.out.write_str("\\n")?,
                '\r' => self.out.write_str("\\r")?,
                '\t' => self.out.write_str("\\t")?,
                '\u{8}' => self.out.write_str("\\b")?,
                '\u{c}' => self.out.write_str("\\f")?,
                c if u32::from(c) < 0x20 || (self.ascii && !c.is_ascii()) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(self.out, "\\u{unit:04x}")?;
                    }
                }
                c => self.out.write_char(c)?,
            }
        }
        Ok(self.out.write_char('"')?)
    }
}

/// Keys of JSON objects are strings; Python writes numbers and booleans as strings.
fn text_of_key(key: &Value) -> Result<String, Error> {
    match key.kind() {
        ValueKind::String | ValueKind::Number => Ok(key.to_string()),
        ValueKind::Bool => Ok(key.is_true().to_string()),
        ValueKind::None => Ok("null".into()),
        other => Err(fail(format!("a key of kind {other} has no JSON"))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    // GIVEN an instant
    // WHEN a template asks for the date in the notations that published templates use
    // THEN it is the date in UTC; a notation that does not exist is an error
    #[test]
    fn dates() {
        let at = UNIX_EPOCH + Duration::from_secs(1_732_183_445);
        for (format, expected) in [
            ("%d %b %Y", "21 Nov 2024"),
            ("%Y-%m-%d", "2024-11-21"),
            ("%B %d, %Y", "November 21, 2024"),
            ("%A %H:%M:%S", "Thursday 10:04:05"),
        ] {
            assert_eq!(strftime(at, format).unwrap(), expected);
        }
        assert!(strftime(at, "%Q").is_err());
    }
}
