-- What was decided on a firm is found among the looks at it: each index that is not in the order of time costs every decision a page
-- of the disk, and one of the two is enough. Decisions from before there were looks, whose grounds are within the record, keep theirs.
DROP INDEX decisions_by_firm;
CREATE INDEX decisions_by_firm ON decisions (uscc, id) WHERE grounds IS NULL;
