//! Checks without keeping.

use axum::body::Body;
use lockgate_plugin::{Condition, Registered};
use lockgate_resource::{Kind, Resources, check, check_among};
use serde_json::Value;

use crate::envelope::{Refusal, Reply};
use crate::{Admin, Calls, body, certificates, consumers};

/// The most of a value that an error repeats.
const QUOTED: usize = 100;

/// Checks a resource by itself and, where `among` is given, that it goes with all others under its id. Answers with
/// what is accepted but probably not meant.
pub(crate) fn examine(
    admin: &Admin,
    among: Option<(&Resources, &str)>,
    kind: Kind,
    value: &Value,
) -> Result<Vec<String>, String> {
    check(kind, value)?;
    if kind == Kind::PluginMetadata {
        return examine_metadata(admin, value).map(|()| Vec::new());
    }
    if kind == Kind::Secret {
        return Ok(Vec::new());
    }
    let before = among.and_then(|(resources, id)| resources.get(kind, id));
    certificates::check(kind, value, before.map(|record| &record.value))?;
    if let Some((resources, id)) = among {
        check_among(resources, kind, id, value)?;
    }
    let mut warnings = Vec::new();
    for (name, config) in value.get("plugins").and_then(Value::as_object).into_iter().flatten() {
        let is_auth = admin.registry.get(name).is_some_and(Registered::is_auth);
        let of_consumer = matches!(kind, Kind::Consumer | Kind::Credential);
        let examined = if is_auth && of_consumer {
            consumers::examine(admin, name, config)
        } else {
            examine_plugin(admin, name, config)
        };
        warnings.extend(match kind {
            Kind::Consumer | Kind::Credential => {
                examined.map_err(|why| format!("invalid plugins configuration: {why}"))?
            }
            _ => examined?,
        });
        if kind == Kind::Credential && !is_auth {
            return Err("only supports auth type plugins in consumer credential".to_owned());
        }
    }
    if let Some((resources, id)) = among {
        consumers::check_unique(admin, resources, (kind, id), value)?;
    }
    if let Some(vars) = value.get("vars") {
        Condition::parse(vars).map_err(|why| format!("failed to validate the 'vars' expression: {why}"))?;
    }
    Ok(warnings)
}

fn examine_metadata(admin: &Admin, value: &Value) -> Result<(), String> {
    let name = value.get("id").and_then(Value::as_str).unwrap_or_default();
    if admin.registry.get(name).is_none() {
        return Err("invalid plugin name".to_owned());
    }
    let mut bare = value.clone();
    if let Some(fields) = bare.as_object_mut() {
        fields.shift_remove("id");
    }
    let checked = admin.registry.metadata(name, &bare, &*admin.build.secrets);
    checked.map(drop).map_err(|why| format!("invalid configuration: {why}"))
}

fn examine_plugin(admin: &Admin, name: &str, config: &Value) -> Result<Vec<String>, String> {
    if !config.is_object() {
        let shown: String = config.to_string().chars().take(QUOTED).collect();
        return Err(format!("invalid plugin conf {shown} for plugin [{name}]"));
    }
    if admin.registry.get(name).is_none() {
        return Err(format!("unknown plugin [{name}]"));
    }
    let checked = admin.registry.check(name, config, &admin.build);
    checked.map_err(|why| format!("failed to check the configuration of plugin {name} err: {why}"))
}

/// `POST /schema/validate/routes`: whether a resource is well formed. APISIX looks at its schema alone; here its
/// plugins are looked at too.
pub(crate) async fn schema(calls: &Calls, plural: &str, body: Body) -> Result<Reply, Refusal> {
    let kind = Kind::from_plural(plural).ok_or_else(|| Refusal::UnsupportedType(plural.to_owned()))?;
    let value = body::read(body).await?.ok_or_else(|| Refusal::Unfit("missing configurations".to_owned()))?;
    kind.schema().check(&value).map_err(Refusal::Unfit)?;
    examine(&calls.admin, None, kind, &value).map_err(Refusal::Unfit)?;
    Ok(Reply::empty())
}
