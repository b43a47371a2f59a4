-- Every event moves the head, and is refused unless it comes right behind it: positions have no gaps, and whoever decided on a head that
-- has moved on meanwhile appends nothing.
CREATE TRIGGER events_move_the_head AFTER INSERT ON events
BEGIN UPDATE head SET position = iif(position = NEW.position - 1, NEW.position, NULL), hash = NEW.hash; END;
