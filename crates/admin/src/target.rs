//! What the path of a call names: one resource, or all of a kind.

use http::HeaderMap;
use lockgate_resource::{Id, Kind, read_id};
use serde_json::Value;

use crate::address::Address;
use crate::change;
use crate::envelope::Refusal;

/// Which resource is meant, or which of a kind.
pub(crate) struct Target<'a> {
    pub(crate) kind: Kind,
    /// What the resource is below: the consumer of a credential, the manager of a secret.
    pub(crate) parent: Option<&'a str>,
    /// What follows in the path: the id, and the way to a place in the resource.
    pub(crate) rest: &'a [&'a str],
    pub(crate) address: &'a Address,
    pub(crate) headers: &'a HeaderMap,
}

impl<'a> Target<'a> {
    /// Reads the segments of a path.
    pub(crate) fn of(
        segments: &'a [&'a str],
        address: &'a Address,
        headers: &'a HeaderMap,
    ) -> Result<Self, Refusal> {
        let (kind, parent, rest) = match segments {
            [] => return Err(Refusal::NoSuchPath),
            ["consumers", consumer, "credentials", rest @ ..] => (Kind::Credential, Some(*consumer), rest),
            ["secrets", manager, rest @ ..] => (Kind::Secret, Some(*manager), rest),
            [plural, rest @ ..] => (kind(plural)?, None, rest),
        };
        if kind == Kind::StreamRoute {
            let why = "stream mode is disabled, can not add stream routes";
            return Err(Refusal::Invalid(why.to_owned()));
        }
        Ok(Self { kind, parent, rest, address, headers })
    }

    /// The id of the resource, as it is stored.
    pub(crate) fn id(&self) -> Option<String> {
        self.rest.first().map(|own| self.stored(own))
    }

    /// The id under which something is stored that calls itself `own`.
    fn stored(&self, own: &str) -> String {
        self.parent.map_or_else(|| own.to_owned(), |parent| format!("{parent}/{own}"))
    }

    /// The key that all resources meant are below: `/apisix/routes`.
    pub(crate) fn key(&self) -> String {
        match (self.kind, self.parent) {
            (Kind::Credential, Some(consumer)) => format!("/apisix/consumers/{consumer}/credentials"),
            (_, Some(parent)) => format!("/apisix/{}/{parent}", self.kind.plural()),
            (_, None) => format!("/apisix/{}", self.kind.plural()),
        }
    }

    pub(crate) fn missing_id(&self) -> Refusal {
        let kind = self.kind.words();
        Refusal::Invalid(match self.kind {
            Kind::PluginMetadata => "missing plugin name".to_owned(),
            Kind::Secret if self.parent.is_none() => "missing secret type".to_owned(),
            _ => format!("missing {kind} id"),
        })
    }

    pub(crate) fn wrong_id(&self) -> Refusal {
        Refusal::Invalid(format!("wrong {} id", self.kind.words()))
    }

    /// Refuses a method that APISIX does not have for the kind.
    pub(crate) fn allow(&self, method: &str) -> Result<(), Refusal> {
        if unsupported(self.kind).contains(&method) {
            return Err(Refusal::UnsupportedMethod { method: method.to_owned(), kind: self.kind });
        }
        Ok(())
    }

    /// What a resource that is put calls itself: what the path says, or what stands in it. They must not differ.
    pub(crate) fn own_id(&self, value: &Value) -> Result<String, Refusal> {
        let path = self.rest.first().map(|own| (*own).to_owned());
        if self.kind == Kind::Consumer {
            let checked = self.kind.schema().check(value);
            checked.map_err(|why| Refusal::Invalid(format!("invalid configuration: {why}")))?;
            let name = value["username"].as_str().unwrap_or_default().to_owned();
            return match path {
                Some(path) if path != name => Err(Refusal::Invalid("wrong username".to_owned())),
                _ => Ok(name),
            };
        }
        // What is no id is refused as its schema says, before it is taken for a text.
        if value.get("id").is_some_and(|id| id.is_number() && read_id(id).is_none()) {
            let checked = self.kind.schema().check(value);
            checked.map_err(|why| Refusal::Invalid(format!("invalid configuration: {why}")))?;
        }
        // What is said of a plugin may have any field; its name stands in the path.
        let inside = inner_id(value).filter(|_| self.kind != Kind::PluginMetadata);
        if let (Some(path), Some(inside)) = (&path, &inside)
            && *inside != self.written(path)
        {
            return Err(self.wrong_id());
        }
        path.or(inside.filter(|_| self.kind != Kind::Secret)).ok_or_else(|| self.missing_id())
    }

    /// How the id stands in a resource.
    pub(crate) fn written(&self, own: &str) -> String {
        if self.kind == Kind::Secret { self.stored(own) } else { own.to_owned() }
    }

    /// Writes the id into a resource; one that cannot be an id is refused as its schema says.
    pub(crate) fn write_id(&self, value: &mut Value, own: &str) -> Result<Id, Refusal> {
        if let Some(fields) = value.as_object_mut().filter(|_| self.kind != Kind::Consumer) {
            change::set_id(fields, &self.written(own));
        }
        Id::of(self.kind, &self.stored(own)).map_err(|_| {
            let schema = self.kind.schema().check(value).err();
            let why = schema.unwrap_or_else(|| format!("id {own} is no id"));
            Refusal::Invalid(format!("invalid configuration: {why}"))
        })
    }
}

/// The methods that APISIX does not have for a kind.
fn unsupported(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Route | Kind::Service | Kind::Upstream | Kind::Ssl => &[],
        Kind::PluginMetadata | Kind::Consumer | Kind::Credential => &["POST", "PATCH"],
        Kind::GlobalRule | Kind::PluginConfig | Kind::ConsumerGroup | Kind::Secret => &["POST"],
        Kind::Proto | Kind::StreamRoute => &["PATCH"],
    }
}

/// The methods that there are for a kind.
pub(crate) fn supported(kind: Kind) -> impl Iterator<Item = &'static str> {
    const ALL: [&str; 5] = ["GET", "PUT", "POST", "PATCH", "DELETE"];
    ALL.into_iter().filter(move |method| !unsupported(kind).contains(method))
}

/// The kind with a path of its own: credentials are below their consumer.
fn kind(plural: &str) -> Result<Kind, Refusal> {
    let kind = Kind::from_plural(plural).filter(|kind| *kind != Kind::Credential);
    kind.ok_or_else(|| Refusal::UnsupportedType(plural.to_owned()))
}

/// The id that stands in a resource, as text.
pub(crate) fn inner_id(value: &Value) -> Option<String> {
    value.get("id").map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned))
}
