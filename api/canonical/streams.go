package canonical

// EventGap is the name of the message that tells of events that cannot be had again.
const EventGap = "gap"

// Event is the data of one message of GET /events. It never holds a value, a path
// or a key.
type Event struct {
	Time          string `json:"ts"` // RFC 3339
	Event         string `json:"event"`
	VaultType     string `json:"vault_type"`
	ResourceRef   string `json:"resource_ref"`
	SourceRef     string `json:"source_ref,omitempty"` // of a move
	Subject       string `json:"subject"`
	Purpose       string `json:"purpose"`
	Effect        string `json:"effect"`
	DecisionID    string `json:"decision_id"`
	KVVersion     int64  `json:"kv_version,omitempty"`
	Success       bool   `json:"success"`
	Error         string `json:"error,omitempty"`
	Cached        bool   `json:"cached"`
	CorrelationID string `json:"correlation_id"`
}

// Gap is the data of an EventGap message: the events behind From up to and with To
// are gone for this reader.
type Gap struct {
	From   int64  `json:"from"`
	To     int64  `json:"to"`
	Reason string `json:"reason"` // retention (the log was cut) or damage (a record of it does not authenticate)
}

// AuditRecord is one operation as GET /audit shows it.
type AuditRecord struct {
	ID string `json:"audit_id"`
	// Phase is "attempt" while the outcome of a mutation is not known.
	Phase          string `json:"phase,omitempty"`
	Time           string `json:"ts"` // RFC 3339
	Tenant         string `json:"tenant_id"`
	SystemID       string `json:"system_id,omitempty"`
	WorkflowRunID  string `json:"workflow_run_id,omitempty"`
	NodeID         string `json:"node_id,omitempty"`
	Subject        string `json:"subject"`
	Act            string `json:"act,omitempty"`
	Action         string `json:"action"` // always "use"
	Event          string `json:"event"`
	Purpose        string `json:"purpose"`
	PurposeOfUse   string `json:"purpose_of_use,omitempty"`
	Effect         string `json:"effect"` // Permit or Deny
	ResourceRef    string `json:"resource_ref"`
	ResourceARN    string `json:"resource_arn,omitempty"`
	DecisionID     string `json:"decision_id"`
	PolicyVersion  string `json:"policy_version"`
	Classification string `json:"classification,omitempty"`
	KVVersion      int64  `json:"kv_version,omitempty"`
	LeaseID        string `json:"lease_id,omitempty"`
	LeaseTTL       int64  `json:"lease_ttl,omitempty"` // seconds
	CnfJKT         string `json:"cnf_jkt,omitempty"`
	MTLSThumbprint string `json:"mtls_thumbprint,omitempty"`
	TokenJTI       string `json:"token_jti,omitempty"`
	CorrelationID  string `json:"correlation_id"`
	Success        bool   `json:"success"`
	ErrorCode      string `json:"error_code,omitempty"`
	Cached         bool   `json:"cached"`
	Sampled        bool   `json:"sampled"`
}

// AuditPage answers GET /audit, newest first.
type AuditPage struct {
	Items  []AuditRecord `json:"items"`
	Total  int           `json:"total"` // of all pages
	Offset int           `json:"offset"`
	Limit  int           `json:"limit"`
}
