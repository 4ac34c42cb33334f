//! Elements of an XML document, and their writing. Escaping is the writer's.

use quick_xml::Writer;
use quick_xml::escape::partial_escape;
use quick_xml::events::{BytesCData, BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use crate::model::export::ExportError;

/// An element with its attributes and what is in it: elements or text.
#[derive(Debug, Clone)]
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Element>,
    text: Option<String>,
}

impl Element {
    pub fn new(name: &'static str) -> Element {
        Element { name, attributes: Vec::new(), children: Vec::new(), text: None }
    }

    /// An element that holds text.
    pub fn text(name: &'static str, text: impl Into<String>) -> Element {
        Element { text: Some(text.into()), ..Element::new(name) }
    }

    /// With an attribute more.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Element {
        self.attributes.push((name, value.into()));
        self
    }

    /// With an element more in it.
    pub fn holding(mut self, child: Element) -> Element {
        self.children.push(child);
        self
    }

    /// With more elements in it.
    pub fn holding_all(mut self, children: impl IntoIterator<Item = Element>) -> Element {
        self.children.extend(children);
        self
    }

    /// The document whose root this is.
    pub fn document(&self) -> Result<String, ExportError> {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 1);
        let written = writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        written.and_then(|()| self.write(&mut writer)).map_err(|e| ExportError::Xml(e.to_string()))?;
        let mut bytes = writer.into_inner();
        bytes.push(b'\n');
        String::from_utf8(bytes).map_err(|e| ExportError::Xml(e.to_string()))
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let attributes = self.attributes.iter().map(|(name, value)| (*name, value.as_str()));
        let start = BytesStart::new(self.name).with_attributes(attributes);
        if self.children.is_empty() && self.text.is_none() {
            return writer.write_event(Event::Empty(start));
        }
        writer.write_event(Event::Start(start))?;
        if let Some(text) = &self.text {
            writer.write_event(character_data(text))?;
        }
        for child in &self.children {
            child.write(writer)?;
        }
        writer.write_event(Event::End(BytesEnd::new(self.name)))
    }
}

/// Text as it is where it can be: some engines read only a part of a text with escapes or brackets in it.
fn character_data(text: &str) -> Event<'_> {
    // A reader makes one line feed of a carriage return, unless it is escaped.
    if text.contains(['<', '&', '>', ']']) && !text.contains("]]>") && !text.contains('\r') {
        Event::CData(BytesCData::new(text))
    } else {
        Event::Text(BytesText::from_escaped(partial_escape(text)))
    }
}

/// Whether XML 1.0 has no way to write a character, not even escaped (section 2.2 of the recommendation).
pub(super) fn is_unwritable(c: char) -> bool {
    !matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_element_holds_comes_back_from_a_reader_as_it_was() {
        let odd = "a<b> & \"c\" 'd'\n\te\rf 税]]>";
        let document =
            Element::new("A").with("x", odd).holding(Element::text("B", odd)).holding(Element::new("C")).document();
        let document = document.unwrap();
        let mut reader = quick_xml::Reader::from_str(&document);
        let (mut attribute, mut text, mut inside) = (String::new(), String::new(), false);
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) if start.name().as_ref() == "A" => {
                    let found = start.attributes().next().unwrap().unwrap();
                    attribute = quick_xml::escape::unescape(&found.value).unwrap().into_owned();
                }
                Event::Start(_) => inside = true,
                Event::Text(part) if inside => text.push_str(&part),
                Event::GeneralRef(name) if inside => {
                    text.push_str(&quick_xml::escape::unescape(&format!("&{};", &*name)).unwrap());
                }
                Event::End(_) => inside = false,
                Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!((attribute.as_str(), text.as_str()), (odd, odd), "{document}");
        assert!(document.contains("&#10;&#9;e&#13;f"), "line ends in attributes survive normalisation: {document}");
    }

    #[test]
    fn text_with_escapes_or_brackets_is_given_whole_where_it_can_be() {
        let written = |text: &str| Element::text("A", text).document().unwrap();
        assert!(written("^[a]+ <&>").contains("<A><![CDATA[^[a]+ <&>]]></A>"));
        assert!(written("it's \"税\"").contains("<A>it's \"税\"</A>"));
        assert!(written("a]]>b").contains("<A>a]]&gt;b</A>"));
    }

    #[test]
    fn control_characters_have_no_way_into_xml() {
        for c in ['\0', '\u{1}', '\u{b}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
            assert!(is_unwritable(c), "{c:?}");
        }
        for c in ['\t', '\n', ' ', 'a', '税', '\u{85}', '\u{2028}', '\u{1f600}'] {
            assert!(!is_unwritable(c), "{c:?}");
        }
    }
}
