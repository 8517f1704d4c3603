package api

import (
	"context"
	"errors"

	"buf.build/go/protovalidate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// ValidateUnary holds every request against the rules of its proto.
func ValidateUnary(v protovalidate.Validator) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		if err := validate(v, req); err != nil {
			return nil, err
		}
		return handle(ctx, req)
	}
}

// ValidateStream does so for every message that a client streams.
func ValidateStream(v protovalidate.Validator) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		return handle(srv, &validated{stream, v})
	}
}

type validated struct {
	grpc.ServerStream
	v protovalidate.Validator
}

func (s *validated) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return validate(s.v, m)
}

func validate(v protovalidate.Validator, m any) error {
	msg, ok := m.(proto.Message)
	if !ok {
		return nil
	}
	err := v.Validate(msg)
	if err == nil {
		return nil
	}
	broken, ok := errors.AsType[*protovalidate.ValidationError](err)
	if !ok {
		return status.Errorf(codes.Internal, "validation: %v", err)
	}
	s := status.New(codes.InvalidArgument, message(broken))
	bad := &errdetails.BadRequest{}
	for _, b := range broken.Violations {
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: protovalidate.FieldPathString(b.Proto.GetField()), Description: b.Proto.GetMessage()})
	}
	if d, err := s.WithDetails(&errdetails.ErrorInfo{Reason: "INVALID_FIELD", Domain: Domain}, bad); err == nil {
		s = d
	}
	return s.Err()
}

// message names every broken rule in one line.
func message(broken *protovalidate.ValidationError) string {
	text := ""
	for i, b := range broken.Violations {
		if i > 0 {
			text += "; "
		}
		if field := protovalidate.FieldPathString(b.Proto.GetField()); field != "" {
			text += field + ": "
		}
		text += b.Proto.GetMessage()
	}
	return text
}
