package weirtest

import (
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/tools/txtar"
)

// A Script is a behaviour script that has been read.
type Script struct {
	Sentence string // what is tested
	Only     []Mode // the modes it is for; nil: all
	Why      string // the reason where it is not for all
	Steps    []Step
	Files    []txtar.File
}

// A Step is one line of a script with the lines that belong to it.
type Step struct {
	Line int
	Verb string // a command's name, or one of "$", ">", ">>", "<", "<<"
	Name string // the peer it concerns; "" for commands that concern none
	Text string // what follows

	Again  bool   // "until"
	Exit   int    // what a program has to end with
	Output []want // of a program
}

// A want is a line of output that has to be there, or (No) must not be.
type want struct {
	Line int
	No   bool
	Text string
}

var (
	bytesLine = regexp.MustCompile(`^([a-z][a-z0-9]*)(>>|<<|>|<)(?: (.*))?$`)
	wordLine  = regexp.MustCompile(`^([a-z][a-z0-9-]*)(?: +(.*))?$`)
)

// ParseScript reads a script.
func ParseScript(data []byte) (*Script, error) {
	a := txtar.Parse(data)
	lines := strings.Split(string(a.Comment), "\n")
	s := &Script{Files: a.Files}
	var ok bool
	if s.Sentence, ok = strings.CutPrefix(lines[0], "# "); !ok || !strings.HasSuffix(s.Sentence, ".") {
		return nil, fmt.Errorf("line 1: the sentence that is tested is missing: %q", lines[0])
	}
	for i, line := range lines {
		line = strings.TrimRight(line, " \t")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		limits, err := s.limit(line)
		if err == nil && !limits {
			err = s.add(i+1, line)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return s, nil
}

// add appends the step that line is, or makes it part of the last one.
func (s *Script) add(n int, line string) error {
	if s.belongs(n, line) {
		return nil
	}
	step := Step{Line: n}
	if rest, ok := strings.CutPrefix(line, "until "); ok {
		step.Again, line = true, rest
	}
	if rest, ok := strings.CutPrefix(line, "$ "); ok {
		step.Verb, step.Text = "$", rest
	} else if m := bytesLine.FindStringSubmatch(line); m != nil {
		step.Name, step.Verb, step.Text = m[1], m[2], m[3]
	} else if m := wordLine.FindStringSubmatch(line); m != nil {
		step.Verb, step.Text = m[1], m[2]
		step.turn()
	} else {
		return fmt.Errorf("not a step: %q", line)
	}
	s.Steps = append(s.Steps, step)
	return nil
}

// turn makes "NAME verb text" of "verb text" where the first word is no command.
func (step *Step) turn() {
	if _, ok := commands[step.Verb]; ok {
		return
	}
	verb, rest, _ := strings.Cut(step.Text, " ")
	step.Name, step.Verb, step.Text = step.Verb, verb, strings.TrimSpace(rest)
}

// belongs takes in the lines that say what the last step has to give.
func (s *Script) belongs(n int, line string) bool {
	if len(s.Steps) == 0 {
		return false
	}
	last := &s.Steps[len(s.Steps)-1]
	if _, err := fmt.Sscanf(line, "exit %d", &last.Exit); err == nil {
		return true
	}
	text, no := strings.CutPrefix(line, "!")
	text, ok := strings.CutPrefix(text, "|")
	if !ok {
		return false
	}
	last.Output = append(last.Output, want{n, no, strings.TrimPrefix(text, " ")})
	return true
}
