//! The field table itself, and the schema made from it.

use std::collections::BTreeSet;

use super::*;

/// Every field of a catalogue with its dotted path.
fn walk(fields: &'static [Field], path: &str, out: &mut Vec<(String, &'static Field)>) {
    for field in fields {
        let name = if path.is_empty() { field.key.to_owned() } else { format!("{path}.{}", field.key) };
        out.push((name.clone(), field));
        if let Some(inner) = field.takes.fields() {
            walk(inner, &name, out);
        }
    }
}

#[test]
fn the_catalogue_is_sound() {
    for root in [RECIPE, WORKSPACE] {
        let mut all = Vec::new();
        walk(root, "", &mut all);
        let mut seen = BTreeSet::new();
        let mut top = BTreeSet::new();
        for (path, field) in all {
            assert!(seen.insert(path.clone()), "`{path}` is there twice");
            assert!(!field.doc.is_empty() && !field.doc.ends_with('.'), "`{path}`: {}", field.doc);
            assert_eq!(kebab(field.key), field.key, "`{path}` is not in kebab-case");
            for old in field.old {
                assert_eq!(kebab(old.key()), old.key());
                if !matches!(old, Old::Here(_)) {
                    assert!(top.insert(old.key()), "`{}` has two meanings", old.key());
                    assert!(find(RECIPE, old.key()).is_none(), "`{}` is old and modern", old.key());
                }
            }
        }
    }
}

#[test]
fn the_schema_describes_every_key() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["additionalProperties"], false);
    let mut all = Vec::new();
    walk(RECIPE, "", &mut all);
    for (path, field) in all {
        let mut at = &schema;
        for key in path.split('.') {
            let inner = properties(at).unwrap_or_else(|| panic!("no properties on the way to `{path}`"));
            at = inner.get(key).unwrap_or_else(|| panic!("no `{path}`"));
        }
        assert_eq!(at["description"], field.doc, "`{path}`");
    }
    assert_eq!(schema["properties"]["do-check"]["deprecated"], true);
    assert_eq!(schema["properties"]["kind"]["enum"], serde_json::json!(["package", "application"]));
}

/// The first `properties` in a schema or below its `anyOf`, `items` and free keys.
fn properties(schema: &serde_json::Value) -> Option<&serde_json::Value> {
    let below = ["items", "additionalProperties"].map(|key| schema.get(key));
    let any = schema.get("anyOf").and_then(|a| a.as_array()).into_iter().flatten();
    let own = schema.get("properties");
    own.or_else(|| any.chain(below.into_iter().flatten()).find_map(properties))
}

#[test]
fn camel_and_snake_case_become_kebab_case() {
    assert_eq!(kebab("pythonImportsCheck"), "python-imports-check");
    assert_eq!(kebab("build_system"), "build-system");
    assert_eq!(kebab("pname"), "pname");
}
