package sel

import (
	"fmt"
	"strings"
)

// Category says what kind of error an evaluation met: act on it, never on the message.
type Category string

// The categories; those of the specification's section 9 and the ones it describes elsewhere.
const (
	CatLexical          Category = "lexical"
	CatUnicodeEscape    Category = "bad-unicode-escape"
	CatSyntax           Category = "syntax"
	CatBadLiteral       Category = "bad-literal"
	CatLimitLength      Category = "limit-length"
	CatLimitArray       Category = "limit-array"
	CatLimitLoop        Category = "limit-loop"
	CatLimitVisit       Category = "limit-visit"
	CatLimitMemory      Category = "limit-memory"
	CatLimitStack       Category = "limit-stack"
	CatTypeMismatch     Category = "type-mismatch"
	CatNoOperation      Category = "no-such-operation"
	CatNoMethod         Category = "no-such-method"
	CatNoField          Category = "no-such-field"
	CatNoConstructor    Category = "no-constructor"
	CatUnknownClass     Category = "unknown-class"
	CatArgumentType     Category = "wrong-argument-type"
	CatMethodFailure    Category = "method-failure"
	CatNullObject       Category = "null-object"
	CatDivision         Category = "division"
	CatIndex            Category = "index"
	CatNegativeSize     Category = "negative-size"
	CatNumberText       Category = "number-text"
	CatDateField        Category = "date-field"
	CatDSTGap           Category = "dst-gap"
	CatDateText         Category = "date-text"
	CatPattern          Category = "pattern"
	CatUser             Category = "user"
	CatNoContent        Category = "no-content"
	CatNoDefault        Category = "no-default"
	CatArrayType        Category = "array-type"
	CatArrayElement     Category = "array-element"
	CatInvalidIndexType Category = "invalid-index-type"
	CatThrowType        Category = "throw-type"
	CatBreakOutside     Category = "break-outside"
	CatUnsupportedParse Category = "unsupported-parse"
	CatJSON             Category = "json"
	CatResultExtraction Category = "result-extraction"
	CatResultType       Category = "result-type"
	CatMapEntry         Category = "map-entry"
	CatZoneID           Category = "zone-id"
	CatFormat           Category = "format"
	CatInvalidArgs      Category = "invalid-args"
	CatDuration         Category = "unsupported-duration"
	// Not among the recorded categories: the extension refused, or the evaluation was cancelled.
	CatExtension Category = "extension"
	CatTimeout   Category = "timeout"
)

// Error is an error of an expression. Its position is that of the construct that failed, in UTF-16
// columns of the source as it was handed in.
type Error struct {
	Category Category
	Line     int // from 1; 0 when the error has no place in the source
	Column   int
	Message  string // the specification's text, section 9
	Hint     string // what a person may try; "" if nothing is known
	Cause    error  // the error inside a failed method or an extension; may be nil
}

func (e *Error) Error() string {
	s := e.Message
	if e.Cause != nil && !strings.Contains(s, e.Cause.Error()) {
		s += ": " + e.Cause.Error()
	}
	if e.Line > 0 && e.Category != CatLexical && e.Category != CatSyntax && e.Category != CatUnicodeEscape {
		s = fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, s)
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }

// ParamCode is the code in front of a wrapped parameter error (section 9).
type ParamCode string

// The two codes; ParamPlain is the case without one.
const (
	ParamPlain         ParamCode = ""
	ParamBadRequest    ParamCode = "BAD_REQUEST"
	ParamInternalError ParamCode = "INTERNAL_ERROR"
)

// ParamError is an error of the parameter layer: Message has the wrapper's text, code included, and
// Cause the error of the expression. Category is that of the cause.
type ParamError struct {
	Code     ParamCode
	Category Category
	Message  string
	Cause    *Error // nil for a result type that is not allowed and for a user's throw
}

func (e *ParamError) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

func (e *ParamError) Unwrap() error {
	if e.Cause == nil {
		return nil
	}
	return e.Cause
}
