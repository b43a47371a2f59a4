//! Structs with a twin that holds changes: what an update command asks for and an update event records.

/// Declares a struct and its patch, in which each field is optional; `apply` copies what is set and `reduce` drops what changes nothing.
macro_rules! patchable {
    ($(#[$doc:meta])* pub struct $name:ident, $patch:ident { $($(#[$fdoc:meta])* $(#![$attr:meta])? pub $field:ident : $ty:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name { $($(#[$fdoc])* $(#[$attr])? pub $field: $ty,)* }

        /// Changes to the struct of the same name without `Patch`; a field that is absent stays as it is.
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $patch { $(
            $(#[$fdoc])*
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::patch::given")]
            pub $field: Option<$ty>,
        )* }

        impl $name {
            /// Copies every field that the patch sets.
            pub fn apply(&mut self, patch: &$patch) {
                $(if let Some(value) = &patch.$field { self.$field = value.clone(); })*
            }
        }

        impl $patch {
            /// The patch without the fields that have the wanted value already.
            pub fn reduce(mut self, current: &$name) -> Self {
                $(if self.$field.as_ref() == Some(&current.$field) { self.$field = None; })*
                self
            }

            /// Whether it changes nothing.
            pub fn is_empty(&self) -> bool {
                true $(&& self.$field.is_none())*
            }
        }
    };
}
pub(crate) use patchable;

/// Reads a field that is present as `Some`, also where its value is null: so that an optional value can be taken away.
pub(crate) fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
