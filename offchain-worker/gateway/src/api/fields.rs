//! The fields of a request's object, each with an error of its own that names it.

use serde_json::{Map, Value};

use crate::error::ApiError;

/// A JSON object whose fields are read by name and type. `null` counts as absent, and fields that
/// nobody reads are ignored: clients send many.
#[derive(Clone, Copy)]
pub struct Fields<'a>(&'a Map<String, Value>);

/// What kind of value it is, in an error.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// An error about a value of another type.
pub fn wrong_type(name: &str, expected: &str, found: &Value) -> ApiError {
    let found = kind(found);
    let mut error = ApiError::invalid(name, format!("`{name}` must be {expected}, not {found}."));
    error.code = Some("invalid_type");
    error
}

impl<'a> Fields<'a> {
    /// The fields of a request.
    ///
    /// # Errors
    /// It is not an object.
    pub fn of(body: &'a Value) -> Result<Self, ApiError> {
        match body {
            Value::Object(map) => Ok(Self(map)),
            other => Err(ApiError::body(
                axum::http::StatusCode::BAD_REQUEST,
                format!("The body must be a JSON object, not {}.", kind(other)),
            )),
        }
    }

    /// A field of any type.
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A string.
    ///
    /// # Errors
    /// It is something else.
    pub fn string(&self, name: &str) -> Result<Option<&'a str>, ApiError> {
        self.value(name)
            .map(|value| {
                value
                    .as_str()
                    .ok_or_else(|| wrong_type(name, "a string", value))
            })
            .transpose()
    }

    /// A boolean; false where it is absent.
    ///
    /// # Errors
    /// It is something else.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(value) => Err(wrong_type(name, "true or false", value)),
        }
    }

    /// A finite number.
    ///
    /// # Errors
    /// It is something else.
    pub fn number(&self, name: &str) -> Result<Option<f64>, ApiError> {
        self.value(name)
            .map(|value| {
                value
                    .as_f64()
                    .filter(|number| number.is_finite())
                    .ok_or_else(|| wrong_type(name, "a number", value))
            })
            .transpose()
    }

    /// A whole number within a range; `4.0` counts as 4.
    ///
    /// # Errors
    /// It is something else, or out of the range.
    pub fn integer(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, ApiError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let Value::Number(number) = value else {
            return Err(wrong_type(name, "a whole number", value));
        };
        let out_of_range = || {
            ApiError::invalid(
                name,
                format!("`{name}` is {number}; give {least} to {most}."),
            )
        };
        let whole = number.as_i64().or_else(|| {
            let number = number.as_f64()?;
            // Within these bounds a float's whole part is exact.
            let exact = number.fract() == 0.0 && number.abs() < 9e15;
            exact.then_some(number as i64)
        });
        match (whole, number.as_f64()) {
            (Some(whole), _) if (least..=most).contains(&whole) => Ok(Some(whole)),
            (None, Some(float)) if float.fract() != 0.0 => {
                let words = format!("`{name}` is {number}; give a whole number.");
                Err(ApiError {
                    code: Some("invalid_type"),
                    ..ApiError::invalid(name, words)
                })
            }
            _ => Err(out_of_range()),
        }
    }

    /// A list.
    ///
    /// # Errors
    /// It is something else.
    pub fn list(&self, name: &str) -> Result<Option<&'a Vec<Value>>, ApiError> {
        self.value(name)
            .map(|value| {
                value
                    .as_array()
                    .ok_or_else(|| wrong_type(name, "a list", value))
            })
            .transpose()
    }

    /// An object.
    ///
    /// # Errors
    /// It is something else.
    pub fn object(&self, name: &str) -> Result<Option<Fields<'a>>, ApiError> {
        self.value(name)
            .map(|value| match value {
                Value::Object(map) => Ok(Fields(map)),
                other => Err(wrong_type(name, "an object", other)),
            })
            .transpose()
    }
}

/// A token id below `vocab_size`.
///
/// # Errors
/// It is none; names the field.
pub fn token_id(name: &str, value: &Value, vocab_size: usize) -> Result<u32, ApiError> {
    let id = value
        .as_u64()
        .ok_or_else(|| wrong_type(name, "token ids, which are whole numbers", value))?;
    match usize::try_from(id) {
        Ok(small) if small < vocab_size => Ok(id as u32),
        _ => Err(ApiError::invalid(
            name,
            format!("`{name}` holds the token id {id}; the model's vocabulary has {vocab_size}."),
        )),
    }
}
