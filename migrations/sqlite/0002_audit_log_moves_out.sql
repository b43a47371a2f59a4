-- The audit log has a file of its own (migrations/audit): it is computed from the events, and may be deleted at any time.
DROP TABLE audit_log;
