//! What a further page says of the firm as a whole: the same as the first, or nothing. Only rows go on from page to page.

use serde_json::Value;

use super::{Entry, Mapping, Object, Single, Source};
use crate::sources::client::Headers;
use crate::sources::connector::paging::Paging;
use crate::sources::connector::pointer::{Pointer, Scope, is_nothing, scalar};

/// The first page and a further one, where a mapping stands in both.
struct Pages<'v> {
    first: Scope<'v>,
    page: Scope<'v>,
    paging: &'v Paging,
}

impl Mapping {
    /// Whether a further page says the same as the first of all that the mapping reads outside the rows. What a page leaves out, or
    /// says nothing of, was said by the first; what only a further page says was not, and would be lost.
    pub(in crate::sources::connector) fn same_parts(
        &self,
        first: (&Value, &Headers),
        page: (&Value, &Headers),
        paging: &Paging,
    ) -> bool {
        fn scope<'v>((root, headers): (&'v Value, &'v Headers)) -> Scope<'v> {
            Scope { root, headers, here: root, at: String::new(), key: None, outer: None }
        }
        Pages { first: scope(first), page: scope(page), paging }.say_the_same(&self.fields)
    }
}

impl Pages<'_> {
    fn say_the_same(&self, fields: &[Entry]) -> bool {
        fields.iter().all(|field| match &field.source {
            // A header that states the date is compared where the date is.
            Source::Constant(_) | Source::Header(..) => true,
            Source::Single(single) => self.same_single(single),
            Source::Object(object) => self.same_object(object),
            Source::Rows(rows) => self.same_at(&rows.from, &rows.nothing),
        })
    }

    fn same_single(&self, single: &Single) -> bool {
        let mut places = single.from.iter().filter(|from| !from.is_key());
        places.all(|from| self.same_at(from, &single.nothing))
            && single.unit_from.as_ref().is_none_or(|unit| self.same_at(unit, &[]))
    }

    fn same_object(&self, object: &Object) -> bool {
        let Some(from) = &object.from else { return self.say_the_same(&object.fields) };
        let (before, said) = (from.find(&self.first), from.find(&self.page));
        if self.paging.is_in_rows(&said.1) {
            return true;
        }
        if !object.picked.is_empty() {
            return self.same_at(from, &object.nothing);
        }
        match (before, said) {
            (_, (None, _)) => true,
            (_, (Some(said), _)) if is_nothing(said, &object.nothing) => true,
            ((Some(before), first_at), (Some(said), at)) if !is_nothing(before, &object.nothing) => {
                let inner = Pages {
                    first: Scope { here: before, at: first_at, outer: None, ..self.first },
                    page: Scope { here: said, at, outer: None, ..self.page },
                    paging: self.paging,
                };
                let conditions = object.none_where.iter().all(|condition| inner.same_at(&condition.at, &[]));
                conditions && inner.say_the_same(&object.fields)
            }
            // The first said nothing of it.
            ((_, _), (Some(_), at)) => self.paging.has_rows_in(&at),
        }
    }

    /// Whether both say the same in one place, or the further page nothing.
    fn same_at(&self, place: &Pointer, nothing: &[String]) -> bool {
        let (said, at) = place.find(&self.page);
        let Some(said) = said.filter(|said| !is_nothing(said, nothing)) else { return true };
        if self.paging.is_in_rows(&at) || self.paging.has_rows_in(&at) {
            return true;
        }
        match place.find(&self.first).0 {
            Some(before) if before == said => true,
            Some(before) => matches!((scalar(before), scalar(said)), (Some(before), Some(said)) if before == said),
            None => false,
        }
    }
}
