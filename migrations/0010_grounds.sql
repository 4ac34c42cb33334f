-- What decisions rest on (evidence, features, points), once for all decisions that rest on the same: body is JSON, sha256 its digest.
-- decisions.grounds names it, and so does the record itself, which the audit chain holds. Earlier decisions have it within the
-- record; their grounds is NULL.
CREATE TABLE grounds (
    sha256 TEXT NOT NULL PRIMARY KEY,
    body   TEXT NOT NULL
);
ALTER TABLE decisions ADD COLUMN grounds TEXT;

-- Each index of looks that is not in the order of time costs every decision a page of the disk. What was looked at under a consent is
-- found among the looks at its firm.
DROP INDEX looks_by_consent;
