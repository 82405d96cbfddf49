//! `${{NAME}}` and `${{NAME:=default}}` in a text become what the environment says.

/// The text with its variables replaced, or `None` if it names none. What a variable says is not replaced again. The
/// error is the name of one that is not set and has no default.
pub fn replaced(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>, String> {
    let mut new = String::new();
    let mut rest = text;
    let mut found = false;
    while let Some((before, after)) = rest.split_once("${{") {
        new.push_str(before);
        let variable =
            after.split_once("}}").and_then(|(inside, behind)| Some((name_and_default(inside)?, behind)));
        let Some(((name, default), behind)) = variable else {
            new.push_str("${{");
            rest = after;
            continue;
        };
        let value = env(name).or_else(|| default.map(str::to_owned)).ok_or_else(|| name.to_owned())?;
        new.push_str(&value);
        rest = behind;
        found = true;
    }
    new.push_str(rest);
    Ok(found.then_some(new))
}

fn name_and_default(inside: &str) -> Option<(&str, Option<&str>)> {
    let (name, default) = match inside.split_once(":=") {
        Some((name, default)) => (name.trim(), Some(default.trim())),
        None => (inside.trim(), None),
    };
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((name, default))
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn variables_become_what_the_environment_says() {
        let env = |name: &str| (name == "HOST").then(|| "a.example".to_owned());
        let to = |text| replaced(text, &env).unwrap();
        assert_eq!(to("plain"), None);
        assert_eq!(to("${{HOST}}").as_deref(), Some("a.example"));
        assert_eq!(to("${{ HOST := b }}:${{PORT:=80}}/").as_deref(), Some("a.example:80/"));
        assert_eq!(to("${{NONE:=}}").as_deref(), Some(""));
        assert_eq!(to("${{a-b}} ${{HOST}} ${{").as_deref(), Some("${{a-b}} a.example ${{"));
        assert_eq!(to("${{a-b}}"), None);
        assert_eq!(replaced("${{NONE}}", &env), Err("NONE".to_owned()));
    }

    #[test]
    fn what_a_variable_says_is_not_replaced_again() {
        let env = |_: &str| Some("${{X}}".to_owned());
        assert_eq!(replaced("${{X}}", &env).unwrap().as_deref(), Some("${{X}}"));
    }
}
