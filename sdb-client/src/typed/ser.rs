//! From types to attributes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_core::ser::{
    Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer,
};
use serde_core::ser::{SerializeTuple, SerializeTupleStruct};

use super::Fault;

/// Each attribute with its values.
type WrittenFields = Vec<(String, Vec<String>)>;
type Never<T> = Impossible<T, Fault>;

fn no_item<T>() -> Result<T, Fault> {
    Err(Fault::new("it is not a struct or a map"))
}

fn no_value<T>() -> Result<T, Fault> {
    Err(Fault::new(
        "a value is text, a number, a bool, or a list of them",
    ))
}

/// Takes what is a whole item.
pub(super) struct ItemSerializer;

/// Declares a method of a [`Serializer`] for each of these types, all with the same body.
///
/// `methods! { |self, value| -> String { value.to_string() } serialize_i8(i8); serialize_u8(u8); }` writes
///
/// ```text
/// fn serialize_i8(self, value: i8) -> Result<String, Fault> { value.to_string() }
/// fn serialize_u8(self, value: u8) -> Result<String, Fault> { value.to_string() }
/// ```
///
/// with the body's own result in place of the one shown.
macro_rules! methods {
    (
        |$self:ident, $value:ident| -> $output:ty { $body:expr }
        $($method:ident($type:ty);)*
    ) => {$(
        fn $method($self, $value: $type) -> Result<$output, Fault> {
            $body
        }
    )*};
}

impl Serializer for ItemSerializer {
    type Ok = WrittenFields;
    type Error = Fault;
    type SerializeSeq = Never<WrittenFields>;
    type SerializeTuple = Never<WrittenFields>;
    type SerializeTupleStruct = Never<WrittenFields>;
    type SerializeTupleVariant = Never<WrittenFields>;
    type SerializeMap = Collect;
    type SerializeStruct = Collect;
    type SerializeStructVariant = Never<WrittenFields>;

    methods! {
        |self, _value| -> WrittenFields { no_item() }
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_unit_struct(&'static str);
    }

    fn serialize_none(self) -> Result<Self::Ok, Fault> {
        no_item()
    }

    fn serialize_unit(self) -> Result<Self::Ok, Fault> {
        no_item()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<Self::Ok, Fault> {
        no_item()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<WrittenFields, Fault> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<WrittenFields, Fault> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<WrittenFields, Fault> {
        no_item()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Never<WrittenFields>, Fault> {
        no_item()
    }

    fn serialize_tuple(self, _: usize) -> Result<Never<WrittenFields>, Fault> {
        no_item()
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Never<WrittenFields>, Fault> {
        no_item()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Never<WrittenFields>, Fault> {
        no_item()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Collect, Fault> {
        Ok(Collect::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Collect, Fault> {
        Ok(Collect::default())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Never<WrittenFields>, Fault> {
        no_item()
    }
}

/// Takes the fields of an item one by one.
#[derive(Default)]
pub(super) struct Collect {
    fields: WrittenFields,
    key: Option<String>,
}

impl Collect {
    fn field<T: Serialize + ?Sized>(&mut self, name: String, value: &T) -> Result<(), Fault> {
        match value.serialize(ValueSerializer { nested: false }) {
            Ok(values) => {
                self.fields.push((name, values));
                Ok(())
            }
            Err(fault) => Err(fault.of(&name)),
        }
    }
}

impl SerializeStruct for Collect {
    type Ok = WrittenFields;
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        self.field(name.to_owned(), value)
    }

    fn end(self) -> Result<WrittenFields, Fault> {
        Ok(self.fields)
    }
}

impl SerializeMap for Collect {
    type Ok = WrittenFields;
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        let mut key = key.serialize(ValueSerializer { nested: true })?;
        self.key = key.pop();
        match self.key {
            Some(_) => Ok(()),
            None => Err(Fault::new("a key of a map is nothing")),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        let key = self
            .key
            .take()
            .ok_or_else(|| Fault::new("a value of a map has no key"))?;
        self.field(key, value)
    }

    fn end(self) -> Result<WrittenFields, Fault> {
        Ok(self.fields)
    }
}

/// Takes what is one attribute, or within a list of one.
#[derive(Clone, Copy)]
struct ValueSerializer {
    nested: bool,
}

impl Serializer for ValueSerializer {
    type Ok = Vec<String>;
    type Error = Fault;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = Never<Vec<String>>;
    type SerializeMap = Never<Vec<String>>;
    type SerializeStruct = Never<Vec<String>>;
    type SerializeStructVariant = Never<Vec<String>>;

    methods! {
        |self, value| -> Vec<String> { Ok(vec![value.to_string()]) }
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_char(char);
        serialize_str(&str);
    }

    // By `Debug`, which takes an exponent where plain digits would be more than a value holds.
    fn serialize_f32(self, value: f32) -> Result<Vec<String>, Fault> {
        Ok(vec![format!("{value:?}")])
    }

    fn serialize_f64(self, value: f64) -> Result<Vec<String>, Fault> {
        Ok(vec![format!("{value:?}")])
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Vec<String>, Fault> {
        Ok(vec![STANDARD.encode(value)])
    }

    fn serialize_none(self) -> Result<Vec<String>, Fault> {
        Ok(Vec::new())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Vec<String>, Fault> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Vec<String>, Fault> {
        Ok(Vec::new())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Vec<String>, Fault> {
        Ok(Vec::new())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Vec<String>, Fault> {
        Ok(vec![variant.to_owned()])
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Vec<String>, Fault> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Vec<String>, Fault> {
        no_value()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List, Fault> {
        if self.nested {
            no_value()
        } else {
            Ok(List::default())
        }
    }

    fn serialize_tuple(self, len: usize) -> Result<List, Fault> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<List, Fault> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Never<Vec<String>>, Fault> {
        no_value()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Never<Vec<String>>, Fault> {
        no_value()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Never<Vec<String>>, Fault> {
        no_value()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Never<Vec<String>>, Fault> {
        no_value()
    }
}

/// The values of an attribute that has many.
#[derive(Default)]
struct List(Vec<String>);

impl List {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.0
            .extend(value.serialize(ValueSerializer { nested: true })?);
        Ok(())
    }
}

impl SerializeSeq for List {
    type Ok = Vec<String>;
    type Error = Fault;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.element(value)
    }

    fn end(self) -> Result<Vec<String>, Fault> {
        Ok(self.0)
    }
}

impl SerializeTuple for List {
    type Ok = Vec<String>;
    type Error = Fault;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.element(value)
    }

    fn end(self) -> Result<Vec<String>, Fault> {
        Ok(self.0)
    }
}

impl SerializeTupleStruct for List {
    type Ok = Vec<String>;
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.element(value)
    }

    fn end(self) -> Result<Vec<String>, Fault> {
        Ok(self.0)
    }
}
