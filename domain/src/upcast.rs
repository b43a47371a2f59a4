//! Old shapes of events, brought to the present one when they are read. What the log holds is never rewritten.

use serde_json::Value;

use crate::event::DecodeError;

/// Makes a payload of one schema version into one of the next.
pub type Upcast = fn(Value) -> Value;

/// One step: events of a kind, from a schema version to the next.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The kind of event.
    pub kind: &'static str,
    /// The version that it takes.
    pub from: u32,
    /// What it does.
    pub upcast: Upcast,
}

/// Every change of shape that there ever was. A step is added with each schema version after the first, and none is ever removed. The
/// golden file of the version that it takes is what it is tested on.
pub const STEPS: &[Step] = &[];

/// Brings a payload to the present shape. None if it has it already, which costs nothing.
pub(crate) fn upcast(
    steps: &[Step],
    kind: &str,
    schema: u32,
    present: u32,
    payload: &str,
) -> Result<Option<String>, DecodeError> {
    if schema == present {
        return Ok(None);
    }
    if schema > present {
        return Err(DecodeError::Newer { kind: kind.to_owned(), schema, present });
    }
    let malformed = |error: serde_json::Error| DecodeError::Malformed { kind: kind.to_owned(), detail: error.to_string() };
    let mut value: Value = serde_json::from_str(payload).map_err(malformed)?;
    for from in schema..present {
        let step = steps.iter().find(|step| step.kind == kind && step.from == from);
        let step = step.ok_or_else(|| DecodeError::NoStep { kind: kind.to_owned(), from })?;
        value = (step.upcast)(value);
    }
    serde_json::to_string(&value).map(Some).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(mut value: Value) -> Value {
        if let Some(object) = value.as_object_mut()
            && let Some(name) = object.remove("title")
        {
            object.insert("name".into(), name);
        }
        value
    }

    fn with_size(mut value: Value) -> Value {
        value["size"] = 1.into();
        value
    }

    const BOX: &[Step] = &[
        Step { kind: "BoxMade", from: 2, upcast: with_size },
        Step { kind: "BoxMade", from: 1, upcast: renamed },
        Step { kind: "BoxLost", from: 1, upcast: with_size },
    ];

    #[test]
    fn steps_are_taken_in_order_to_the_present() {
        let upcast = |schema, payload| super::upcast(BOX, "BoxMade", schema, 3, payload).unwrap();
        assert_eq!(upcast(1, r#"{"title":"a"}"#).as_deref(), Some(r#"{"name":"a","size":1}"#));
        assert_eq!(upcast(2, r#"{"name":"a"}"#).as_deref(), Some(r#"{"name":"a","size":1}"#));
        assert_eq!(upcast(3, "not even JSON"), None);
    }

    #[test]
    fn what_cannot_be_brought_there_is_refused() {
        assert!(matches!(upcast(BOX, "BoxMade", 4, 3, "{}"), Err(DecodeError::Newer { schema: 4, present: 3, .. })));
        assert!(matches!(upcast(BOX, "BoxLost", 1, 3, "{}"), Err(DecodeError::NoStep { from: 2, .. })));
        assert!(matches!(upcast(BOX, "BoxMade", 1, 3, "{"), Err(DecodeError::Malformed { .. })));
    }

    #[test]
    fn every_step_begins_at_a_version_of_its_own() {
        for (index, step) in STEPS.iter().enumerate() {
            assert!(step.from >= 1 && !STEPS[..index].iter().any(|other| (other.kind, other.from) == (step.kind, step.from)));
        }
    }
}
