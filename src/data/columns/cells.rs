//! The cells of typed columns as numbers or as words.

use std::fmt::{Display, Write};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;

/// Whole numbers up to here, and powers of ten up to the other, are exact in `f64`.
const EXACT_MAX: i128 = 1 << 53;
const POWER_MAX: i8 = 22;

/// Whether columns of a type hold numbers.
pub fn is_numeric(of: &DataType) -> bool {
    match of {
        DataType::Boolean | DataType::Null => true,
        DataType::Dictionary(_, values) => is_numeric(values),
        of => of.is_numeric(),
    }
}

/// The cells of a column of numbers, NaN where there is none: true is 1, false 0. `None` for a column of anything else.
pub fn numbers(array: &ArrayRef) -> Option<Vec<f64>> {
    fn of<T: ArrowPrimitiveType>(array: &ArrayRef, as_f64: impl Fn(T::Native) -> f64) -> Vec<f64> {
        let array = array.as_primitive::<T>();
        if array.null_count() == 0 {
            return array.values().iter().map(|x| as_f64(*x)).collect();
        }
        array.iter().map(|x| x.map_or(f64::NAN, &as_f64)).collect()
    }
    Some(match array.data_type() {
        DataType::Null => vec![f64::NAN; array.len()],
        DataType::Boolean => {
            array.as_boolean().iter().map(|x| x.map_or(f64::NAN, |yes| f64::from(u8::from(yes)))).collect()
        }
        DataType::Int8 => of::<Int8Type>(array, f64::from),
        DataType::Int16 => of::<Int16Type>(array, f64::from),
        DataType::Int32 => of::<Int32Type>(array, f64::from),
        DataType::Int64 => of::<Int64Type>(array, |x| x as f64),
        DataType::UInt8 => of::<UInt8Type>(array, f64::from),
        DataType::UInt16 => of::<UInt16Type>(array, f64::from),
        DataType::UInt32 => of::<UInt32Type>(array, f64::from),
        DataType::UInt64 => of::<UInt64Type>(array, |x| x as f64),
        DataType::Float16 => return numbers(&cast(array, &DataType::Float64).ok()?),
        DataType::Float32 => of::<Float32Type>(array, f64::from),
        DataType::Float64 => of::<Float64Type>(array, |x| x),
        DataType::Decimal128(_, scale @ 0..=POWER_MAX) => {
            let power = 10_f64.powi(i32::from(*scale));
            let array = array.as_primitive::<Decimal128Type>();
            let exact = |x: i128| x.abs() <= EXACT_MAX;
            let number = |(row, x): (usize, Option<i128>)| match x {
                None => f64::NAN,
                Some(x) if exact(x) => x as f64 / power,
                Some(_) => array.value_as_string(row).parse().unwrap_or(f64::NAN),
            };
            array.iter().enumerate().map(number).collect()
        }
        of if of.is_decimal() => {
            let mut found = Vec::with_capacity(array.len());
            each_word(array, &mut |_, word| found.push(word.and_then(|word| word.parse().ok()).unwrap_or(f64::NAN)))
                .ok()?;
            found
        }
        DataType::Dictionary(_, values) if is_numeric(values) => return numbers(&cast(array, values).ok()?),
        _ => return None,
    })
}

/// Calls `each` with every row and its cell as a word, as a CSV would have it; `None` where there is none.
///
/// # Errors
/// A description, where cells of the type have no such form.
pub fn each_word(array: &ArrayRef, each: &mut dyn FnMut(usize, Option<&str>)) -> Result<(), String> {
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().enumerate().for_each(|(row, word)| each(row, word)),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().enumerate().for_each(|(row, word)| each(row, word)),
        DataType::Utf8View => array.as_string_view().iter().enumerate().for_each(|(row, word)| each(row, word)),
        DataType::Dictionary(_, _) => return each_of_dictionary(array, each),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            let strict = arrow_cast::CastOptions { safe: false, ..Default::default() };
            let words = arrow_cast::cast_with_options(array, &DataType::Utf8, &strict).map_err(|e| e.to_string())?;
            return each_word(&words, each);
        }
        DataType::Float64 => each_written(array.as_primitive::<Float64Type>().iter(), each),
        DataType::Float32 => each_written(array.as_primitive::<Float32Type>().iter(), each),
        _ => {
            let options = FormatOptions::default();
            let cells = ArrayFormatter::try_new(array, &options).map_err(|e| e.to_string())?;
            let mut text = String::new();
            for row in 0..array.len() {
                text.clear();
                cells.value(row).write(&mut text).map_err(|e| e.to_string())?;
                each(row, Some(text.as_str()).filter(|_| array.is_valid(row)));
            }
        }
    }
    Ok(())
}

/// Numbers with the fewest digits that read back as the same.
fn each_written<T: Display>(cells: impl Iterator<Item = Option<T>>, each: &mut dyn FnMut(usize, Option<&str>)) {
    let mut text = String::new();
    for (row, cell) in cells.enumerate() {
        text.clear();
        if let Some(x) = &cell {
            // Writing to a String does not fail.
            let _ = write!(text, "{x}");
        }
        each(row, cell.is_some().then_some(text.as_str()));
    }
}

/// Makes each of a dictionary's values a word once.
fn each_of_dictionary(array: &ArrayRef, each: &mut dyn FnMut(usize, Option<&str>)) -> Result<(), String> {
    let Some(dictionary) = array.as_any_dictionary_opt() else {
        return Err(format!("{} cannot be read", array.data_type()));
    };
    let mut words: Vec<Option<String>> = Vec::with_capacity(dictionary.values().len());
    each_word(dictionary.values(), &mut |_, word| words.push(word.map(str::to_owned)))?;
    if words.is_empty() {
        (0..array.len()).for_each(|row| each(row, None));
        return Ok(());
    }
    for (row, key) in dictionary.normalized_keys().into_iter().enumerate() {
        each(row, words.get(key).and_then(Option::as_deref).filter(|_| dictionary.keys().is_valid(row)));
    }
    Ok(())
}
