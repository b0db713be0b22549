//! The field table as a JSON Schema.
//!
//! Knows JSON Schema's words. Must never know a recipe.

use serde_json::{Map, Value, json};

use super::{Field, Old, RECIPE, Type};

/// The JSON Schema (draft 2020-12) of a recipe, pretty-printed, for editors.
///
/// Older spellings are in it as deprecated keys; a recipe with `extends` may
/// write `{ append, remove }` where a list stands.
pub fn json_schema() -> String {
    let mut schema = table(RECIPE);
    schema.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".into(), json!("wheelwright recipe"));
    schema.insert(
        "anyOf".into(),
        json!([{ "required": ["pname", "version", "source"] }, { "required": ["pname", "extends"] }]),
    );
    let edit = json!({
        "type": "object",
        "description": "in a recipe with `extends`: changes of the earlier list",
        "properties": { "append": { "type": "array" }, "remove": { "type": "array", "items": { "type": "string" } } },
        "additionalProperties": false,
    });
    schema.insert("$defs".into(), json!({ "edit": edit }));
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        add_top_level_old(properties);
    }
    let mut text = serde_json::to_string_pretty(&Value::Object(schema)).expect("strings and maps only");
    text.push('\n');
    text
}

fn add_top_level_old(properties: &mut Map<String, Value>) {
    for field in RECIPE {
        let outer = [(field.key.to_owned(), field)];
        let inner = field.takes.fields().unwrap_or(&[]);
        let inner = inner.iter().map(|f| (format!("{}.{}", field.key, f.key), f));
        for (path, field) in outer.into_iter().chain(inner) {
            for old in field.old.iter().filter(|o| !matches!(o, Old::Here(_))) {
                if !properties.contains_key(old.key()) {
                    let doc = format!("older spelling of `{path}`");
                    properties.insert(old.key().into(), json!({ "deprecated": true, "description": doc }));
                }
            }
        }
    }
}

fn table(fields: &'static [Field]) -> Map<String, Value> {
    let mut properties = Map::new();
    for field in fields {
        let mut value = schema_of(&field.takes);
        value.insert("description".into(), json!(field.doc));
        properties.insert(field.key.into(), Value::Object(value));
        for old in field.old {
            if let Old::Here(key) = old {
                let doc = format!("older spelling of `{}`", field.key);
                properties.insert((*key).into(), json!({ "deprecated": true, "description": doc }));
            }
        }
    }
    object(json!({ "type": "object", "properties": properties, "additionalProperties": false }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn schema_of(takes: &Type) -> Map<String, Value> {
    match takes {
        Type::Text => object(json!({ "type": "string" })),
        Type::Choice(words) => object(json!({ "enum": words })),
        Type::Bool => object(json!({ "type": "boolean" })),
        Type::Count => object(json!({ "type": "integer", "minimum": 0 })),
        Type::Requirements => schema_of(&Type::List(&Type::Text)),
        Type::List(item) => {
            let list = json!({ "type": "array", "items": schema_of(item) });
            object(json!({ "anyOf": [list, { "$ref": "#/$defs/edit" }] }))
        }
        Type::Fields(fields) => table(fields),
        Type::Map(item) => object(json!({ "type": "object", "additionalProperties": schema_of(item) })),
        Type::AnyOf(types) => {
            let all: Vec<_> = types.iter().map(schema_of).collect();
            object(json!({ "anyOf": all }))
        }
    }
}
