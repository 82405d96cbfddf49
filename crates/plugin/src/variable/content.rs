//! Variables that are parts of the body, or of a GraphQL query.

use lockgate_http::Request;
use serde_json::Value;

use super::Variable;
use super::json_path::JsonPath;
use crate::RequestContext;

/// A part of the body, or of a GraphQL query. It may be more than a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentVariable {
    /// `post_arg_NAME`: the first field of this name of an urlencoded form.
    FormField(Box<str>),
    /// `post_arg.NAME.NAME`: a field of a form, or of JSON.
    Field(Box<[Box<str>]>),
    /// `post_arg.NAME[*].NAME`: the list of what a path leads to.
    Path(JsonPath),
    /// `graphql_operation`: `query`, `mutation` or `subscription`.
    GraphqlOperation,
    /// `graphql_name`: the operation's name; empty for one without.
    GraphqlName,
    /// `graphql_root_fields`: a list of what the operation asks for first.
    GraphqlRootFields,
}

impl ContentVariable {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "graphql_operation" => Self::GraphqlOperation,
            "graphql_name" => Self::GraphqlName,
            "graphql_root_fields" => Self::GraphqlRootFields,
            _ => match name.strip_prefix("post_arg_") {
                Some(name) => Self::FormField(Some(name).filter(|name| !name.is_empty())?.into()),
                None => Self::path(name.strip_prefix("post_arg.")?)?,
            },
        })
    }

    /// Names and dots lead to one place, all else to a list of places.
    fn path(text: &str) -> Option<Self> {
        if text.contains(['[', '*']) || text.contains("..") || text.starts_with('.') {
            return JsonPath::parse(text).map(Self::Path);
        }
        let is_plain = text.split('.').all(|name| !name.is_empty());
        is_plain.then(|| Self::Field(text.split('.').map(Box::from).collect()))
    }

    fn value<'a>(&'a self, request: &Request, cx: &'a RequestContext) -> Option<Found<'a>> {
        let operation = || cx.operation(request);
        Some(match self {
            Self::FormField(name) => {
                // A request that was not read yet says so here.
                let fields = cx.fields(request)?;
                let value = Some(fields).filter(|_| RequestContext::is_form(request))?.get(&**name)?;
                Found::Value(value.get(0).unwrap_or(value))
            }
            Self::Field(path) => {
                let mut value = cx.fields(request)?;
                for name in path {
                    value = value.as_object()?.get(&**name)?;
                }
                Found::Value(value)
            }
            Self::Path(path) => {
                let root = cx.fields(request)?;
                Some(Found::Places(path, root)).filter(|_| path.any(root, |_| true))?
            }
            Self::GraphqlOperation => Found::Text(operation()?.kind),
            Self::GraphqlName => Found::Text(&operation()?.name),
            Self::GraphqlRootFields => Found::Value(&operation()?.root_fields),
        })
    }

    pub(super) fn write(&self, request: &Request, cx: &RequestContext, out: &mut Vec<u8>) -> bool {
        match self.value(request, cx) {
            None | Some(Found::Value(Value::Null)) => false,
            Some(Found::Text(text)) => {
                out.extend_from_slice(text.as_bytes());
                true
            }
            Some(Found::Value(Value::String(text))) => {
                out.extend_from_slice(text.as_bytes());
                true
            }
            Some(Found::Value(value)) => {
                super::display(value, out);
                true
            }
            Some(Found::Places(path, root)) => {
                let mut list = Vec::new();
                path.any(root, |value| {
                    list.push(value.clone());
                    false
                });
                super::display(Value::from(list), out);
                true
            }
        }
    }
}

/// A part of the content, where it rests.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'a> {
    Text(&'a str),
    Value(&'a Value),
    /// One place or more, below a root.
    Places(&'a JsonPath, &'a Value),
}

impl Variable {
    /// Whether it is a part of the body or of a GraphQL query, which [`RequestContext::read_content`] reads.
    pub fn asks_content(&self) -> bool {
        matches!(self, Self::Content(_))
    }

    /// The part of the content that it is.
    pub(crate) fn of_content<'a>(&'a self, request: &Request, cx: &'a RequestContext) -> Option<Found<'a>> {
        match self {
            Self::Content(variable) => variable.value(request, cx),
            _ => None,
        }
    }
}
