package events

// S3Object is the detail of `Object Created` and `Object Deleted` from aws.s3: a bucket that has EventBridge
// notifications turned on sends one for every change of an object (Amazon S3, "EventBridge event message structure").
type S3Object struct {
	Version string `json:"version"`
	Bucket  struct {
		Name string `json:"name"`
	} `json:"bucket"`
	Object struct {
		Key       string `json:"key"` // as it is, not URL-encoded, unlike in S3's own notifications
		Size      int64  `json:"size,omitempty"`
		ETag      string `json:"etag,omitempty"`
		VersionID string `json:"version-id,omitempty"`
		Sequencer string `json:"sequencer,omitempty"` // orders the events of one key, as texts of equal length
	} `json:"object"`
	RequestID       string `json:"request-id"`
	Requester       string `json:"requester"`
	SourceIPAddress string `json:"source-ip-address,omitempty"`
	Reason          string `json:"reason"` // e.g. PutObject, CompleteMultipartUpload
	DeletionType    string `json:"deletion-type,omitempty"`
}

func (S3Object) detail() {}
