%%% SPDX-License-Identifier: MIT
%%%
%%% What one session of a person has received of the messages that waited for him, and when that is removed from the store.
%%%
%%% *Problem:* What was written to a socket may never arrive, and a removal costs a request. *Decision:* With XEP-0198 a message
%%% is received once ejabberd no longer keeps it for this session, since the client has acknowledged it; without, once it was
%%% written, as nothing more is ever heard of it. What was received is removed together, when no message of this session is
%%% unacknowledged any more, when a thousand have gathered, or when the connection or the session ends. *Cost:* A node that is
%%% killed before delivers again what a client has acknowledged a part of.
%%%
%%%                 written, without XEP-0198; expired; refused by a privacy list
%%%              ┌─────────────────────────────────────────────────────────────────┐
%%%              │                                                                 ▼
%%%   handed over┤                                                              received ──► removed
%%%              │ written as stanza N                                             ▲
%%%              └────────────────────► unacknowledged ────────────────────────────┘
%%%                                          │         all that ejabberd keeps comes after N
%%%                                          └──► nothing: it waits in the store as before, if the session ends
%%%
%%% Nothing in here knows ejabberd. An id is whatever names a message.
-module(cloud_receipts).

-export([new/0, written/3, received/2, acknowledged/2, due/1, all_received/1, ids/1]).
-export_type([receipts/0, kept/0]).

%% As many as one request removes.
-define(BATCH, 1000).
%% Stanzas are counted modulo 2^32.
-define(MODULUS, 16#100000000).

-type id() :: term().
%% The number of a stanza, as the server counts them.
-type stanza() :: 0..16#FFFFFFFF.
%% The first stanza that has been written and was not acknowledged; `unknown' is for when that cannot be told.
-type kept() :: stanza() | none | unknown.
%% Those that are unacknowledged, in the order in which they were written; and those that were received, the last one first.
-opaque receipts() :: {queue:queue({stanza(), id()}), [id()]}.

-spec new() -> receipts().
new() -> {queue:new(), []}.

%% It was written as the stanza of this number, of which the client will say whether it has received it.
-spec written(id(), stanza(), receipts()) -> receipts().
written(Id, Number, {Unacknowledged, Received}) -> {queue:in({Number, Id}, Unacknowledged), Received}.

%% No more will be heard of it.
-spec received(id(), receipts()) -> receipts().
received(Id, {Unacknowledged, Received}) -> {Unacknowledged, [Id | Received]}.

%% The client has acknowledged all before this one.
-spec acknowledged(kept(), receipts()) -> receipts().
acknowledged(unknown, Receipts) -> Receipts;
acknowledged(Kept, {Unacknowledged, Received} = Receipts) ->
    case queue:out(Unacknowledged) of
        {{value, {Number, Id}}, Others} ->
            case Kept == none orelse is_before(Number, Kept) of
                true -> acknowledged(Kept, {Others, [Id | Received]});
                false -> Receipts
            end;
        {empty, _} -> Receipts
    end.

is_before(Number, Kept) -> (Kept - Number + ?MODULUS) rem ?MODULUS band 16#80000000 == 0 andalso Kept /= Number.

%% What is to be removed now.
-spec due(receipts()) -> {[id()], receipts()}.
due({Unacknowledged, Received} = Receipts) ->
    case queue:is_empty(Unacknowledged) orelse length(Received) >= ?BATCH of
        true -> all_received(Receipts);
        false -> {[], Receipts}
    end.

%% What is to be removed when there may be no later.
-spec all_received(receipts()) -> {[id()], receipts()}.
all_received({Unacknowledged, Received}) -> {lists:reverse(Received), {Unacknowledged, []}}.

%% All that were not given out for removal.
-spec ids(receipts()) -> [id()].
ids({Unacknowledged, Received}) -> [Id || {_, Id} <- queue:to_list(Unacknowledged)] ++ lists:reverse(Received).
