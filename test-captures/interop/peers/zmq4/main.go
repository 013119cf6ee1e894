// Peer program for github.com/go-zeromq/zmq4: NULL and PLAIN.
// SPDX-License-Identifier: GPL-2.0-or-later
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/plain"
)

const (
	limit = 10 * time.Second
	// Close drops what a goroutine of zmq4 still holds; it has left by then.
	linger = 300 * time.Millisecond
)

var makers = map[string]func(context.Context, ...zmq4.Option) zmq4.Socket{
	"REQ": zmq4.NewReq, "REP": zmq4.NewRep, "PUB": zmq4.NewPub, "SUB": zmq4.NewSub, "XPUB": zmq4.NewXPub,
	"XSUB": zmq4.NewXSub, "DEALER": zmq4.NewDealer, "ROUTER": zmq4.NewRouter, "PUSH": zmq4.NewPush,
	"PULL": zmq4.NewPull, "PAIR": zmq4.NewPair,
}

type peer struct {
	zmq4.Socket
	sender [][]byte
	// A wait for a message that outlived its command; the next recv takes it over.
	receiving chan received
}

type received struct {
	message zmq4.Msg
	err     error
}

func end(code int, format string, arguments ...any) {
	fmt.Println(strings.ReplaceAll(fmt.Sprintf(format, arguments...), "\n", " "))
	os.Exit(code)
}

// Do work, but not for longer than the limit.
func limited(work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return fmt.Errorf("nothing within %v", limit)
	}
}

func options(listens bool, words []string) []zmq4.Option {
	given := map[string]string{"mechanism": "null"}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		given[key] = value
	}
	if given["heartbeat"] != "" {
		end(3, "unsupported heartbeats")
	}
	var chosen []zmq4.Option
	if given["identity"] != "" {
		chosen = append(chosen, zmq4.WithID(zmq4.SocketIdentity(given["identity"])))
	}
	switch given["mechanism"] {
	case "null":
	case "plain":
		if listens != (given["server"] == "1") {
			end(3, "unsupported zmq4 takes the side that listens for the security server")
		}
		chosen = append(chosen, zmq4.WithSecurity(plain.Security(given["username"], given["password"])))
	default:
		end(3, "unsupported %s", strings.ToUpper(given["mechanism"]))
	}
	return chosen
}

func decode(words []string) ([][]byte, error) {
	frames := [][]byte{}
	for _, word := range words {
		frame, err := hex.DecodeString(strings.TrimPrefix(word, "-"))
		if err != nil {
			return nil, err
		}
		frames = append(frames, frame)
	}
	return frames, nil
}

func (p *peer) send(frames [][]byte) error {
	return limited(func() error {
		for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
			err := p.Send(zmq4.NewMsgFrom(frames...))
			// A REQ that listens has nobody to send to until the other side has shaken hands.
			if err == nil || !strings.Contains(err.Error(), "no connections available") || time.Since(start) > limit {
				return err
			}
		}
	})
}

func (p *peer) recv() (string, error) {
	if p.receiving == nil {
		p.receiving = make(chan received, 1)
		go func(result chan received) {
			message, err := p.Recv()
			result <- received{message, err}
		}(p.receiving)
	}
	select {
	case got := <-p.receiving:
		p.receiving = nil
		if got.err != nil {
			return "", got.err
		}
		p.sender = got.message.Frames[:min(1, len(got.message.Frames))]
		answer := "got"
		for _, frame := range got.message.Frames {
			if len(frame) == 0 {
				answer += " -"
			} else {
				answer += " " + hex.EncodeToString(frame)
			}
		}
		return answer, nil
	case <-time.After(limit):
		return "", fmt.Errorf("nothing within %v", limit)
	}
}

func (p *peer) subscribe(option string, topic []byte) error {
	switch p.Type() {
	case zmq4.Sub:
		return p.SetOption(option, string(topic))
	case zmq4.XSub:
		first := map[string]byte{zmq4.OptionSubscribe: 1, zmq4.OptionUnsubscribe: 0}[option]
		return p.send([][]byte{append([]byte{first}, topic...)})
	}
	return errors.New("this type does not subscribe")
}

func (p *peer) obey(words []string) (string, error) {
	frames, err := decode(words[1:])
	if err != nil {
		return "", err
	}
	switch words[0] {
	case "send":
		err = p.send(frames)
	case "reply":
		err = p.send(append(p.sender, frames...))
	case "recv":
		return p.recv()
	case "subscribe":
		err = p.subscribe(zmq4.OptionSubscribe, frames[0])
	case "unsubscribe":
		err = p.subscribe(zmq4.OptionUnsubscribe, frames[0])
	default:
		err = fmt.Errorf("unknown command %s", words[0])
	}
	return "ok", err
}

func main() {
	if len(os.Args) < 4 {
		end(2, "error usage: peer listen|connect TYPE ENDPOINT [KEY=VALUE...]")
	}
	listens, endpoint := os.Args[1] == "listen", os.Args[3]
	maker := makers[os.Args[2]]
	if maker == nil {
		end(3, "unsupported %s", os.Args[2])
	}
	p := &peer{Socket: maker(context.Background(), options(listens, os.Args[4:])...)}
	opening := func() error { return p.Dial(endpoint) }
	if listens {
		opening = func() error { return p.Listen(endpoint) }
	}
	if err := limited(opening); err != nil {
		end(1, "error %v", err)
	}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && lines.Text() != "close" {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		answer, err := p.obey(words)
		if err != nil {
			answer = "error " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Println(answer)
	}
	time.Sleep(linger)
	p.Close()
}
