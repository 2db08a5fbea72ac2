%%% SPDX-License-Identifier: MIT
%%%
%%% The delivery of messages that waited in the store, which loses none: at least once.
%%%
%%% *Problem:* `mod_offline' takes messages from its backend and routes them, and has no callback for later. Removed before, they
%%% are lost with a node that is killed; and what was written to a socket or to the queue of XEP-0198 may not arrive.
%%% *Decision:* Each message carries its name in the store on its way (`meta' of the stanza, which ejabberd leaves alone), so that
%%% hooks see what becomes of it, in whichever session it ends up. It is removed once it was received (cloud_receipts), by a
%%% process of its own. When a session ends, ejabberd routes what is unacknowledged anew, and mod_offline stores what nobody else
%%% gets: that is still stored, so nothing is done. Until then it is claimed (cloud_claims). *Cost:* What a node or a session was
%%% delivering when it was killed comes again; so does what ejabberd drops in ways that are not seen here, at each login.
%%%
%%%     mod_offline        the session's process                      the store
%%%        │ pop_messages ──► claimed, given ───────────────────────────► stays
%%%        │ route ─────────► written: c2s_handle_send
%%%        │                    │ <a/>, resumption: what ejabberd still keeps
%%%        │                    ▼
%%%        │                  received ──► a process of its own ────────► removed
%%%        │ store_message ◄─ routed anew: the session has ended ───────► stays
%%%
%%% What of ejabberd this depends on: the keys `mgmt_state', `mgmt_queue' and `mgmt_stanzas_out' of a session, of which
%%% mod_stream_mgmt counts what it sends and keeps what is unacknowledged. Where they are not as expected, a message is not
%%% removed, and comes again.
-module(cloud_delivery).

-export([start/1, hand_over/4, left/0, is_stored/2]).
-export([c2s_handle_send/3, c2s_handle_recv/3, c2s_handle_info/2, privacy_check_packet/4]).
-export([c2s_copy_session/2, c2s_session_resumed/1, c2s_session_pending/1, c2s_terminated/2]).

-include_lib("kernel/include/logger.hrl").
-include("xmpp.hrl").
-include("mod_offline.hrl").

%% The key of the receipts in the state of a session, of a message's name in its `meta', and of messages to a session.
-define(KEY, cloud_delivery).
%% The key of what is to be delivered next, in the state of a session, and in its dictionary while it asks for that.
-define(LEFT, cloud_delivery_left).

%% After mod_stream_mgmt has counted a stanza (50); and after ejabberd_c2s has routed all that was left anew (100).
start(Host) ->
    Hooks = [{c2s_handle_send, 60}, {c2s_handle_recv, 50}, {c2s_handle_info, 40}, {privacy_check_packet, 90},
             {c2s_copy_session, 50}, {c2s_session_resumed, 50}, {c2s_session_pending, 50}, {c2s_terminated, 110}],
    lists:foreach(fun({Hook, Order}) -> ejabberd_hooks:add(Hook, Host, ?MODULE, Hook, Order) end, Hooks).

%%% For the backend

%% Claims messages for this process, which is a session's that mod_offline is about to route them in. Gives those that nobody else
%% delivers, each with its name. Those that have expired are left out, as mod_offline drops them, and are removed with the others.
%%
%% With `use_mam_for_storage' what is stored only marks from when on the archive is to be delivered, so that all of it counts as
%% received when all that was routed has been.
%%
%% What is left, by its names, will be asked for when all of these have been received (left/0).
-spec hand_over({binary(), binary()}, [{Id :: term(), #offline_msg{}}], boolean(), [Id :: term()]) -> [#offline_msg{}].
hand_over(Person, Messages, IsArchived, Left) ->
    Now = erlang:timestamp(),
    Claimed = [Message || {Id, _} = Message <- Messages, cloud_claims:take({Person, Id})],
    IsOver = fun({_, #offline_msg{expire = Expire}}) -> not IsArchived andalso Expire /= never andalso Expire =< Now end,
    {Over, Given} = lists:partition(IsOver, Claimed),
    Claimed ++ Left == [] orelse tell_self({given, IsArchived, ids(Given), ids(Over), Left}),
    [Message#offline_msg{packet = xmpp:put_meta(Packet, ?KEY, {Person, Id, IsArchived})}
     || {Id, #offline_msg{packet = Packet} = Message} <- Given].

ids(Messages) -> [Id || {Id, _} <- Messages].

%% What was left when messages were handed over before in this session, if these are to be the next ones.
-spec left() -> [Id :: term()].
left() ->
    case get(?LEFT) of
        undefined -> [];
        Left -> Left
    end.

%% Whether this message, which is to be stored for this person, was never removed: a session that had it has ended. It may be
%% delivered to another one then.
-spec is_stored({binary(), binary()}, message()) -> boolean().
is_stored(Person, #message{meta = #{?KEY := {Person, Id, _}}}) ->
    cloud_claims:give_back([{Person, Id}], '_'),
    true;
is_stored(_, _) -> false.

%%% Hooks, all within the process of a session

%% What is sent again after a resumption is kept since it was sent first. Others forward messages with all that they carry.
c2s_handle_send(#{jid := #jid{luser = User, lserver = Server}} = State,
                #message{meta = #{?KEY := {{User, Server} = Person, Id, false}} = Meta}, Result)
  when not is_map_key(mgmt_is_resent, Meta) ->
    case written(State, Result) of
        {stanza, Number} ->
            cloud_claims:hold([{Person, Id}], self(), written),
            State#{?KEY => cloud_receipts:written(Id, Number, receipts(State))};
        nothing_follows ->
            cloud_claims:hold([{Person, Id}], self(), written),
            %% Not at once: others are to be removed with it.
            tell_self(look),
            State#{?KEY => cloud_receipts:received(Id, receipts(State))};
        {unseen, Why} ->
            ?LOG_INFO("A message for ~ts@~ts stays in the store: ~p", [User, Server, Why]),
            State
    end;
c2s_handle_send(State, _, _) -> State.

%% How it was written: as which stanza of those that are acknowledged, or without that.
written(#{mgmt_state := Active, mgmt_stanzas_out := Number, mgmt_queue := Queue}, _)
  when is_integer(Number), Active == active orelse Active == pending ->
    case p1_queue:is_empty(Queue) of
        false -> {stanza, Number};
        true -> {unseen, not_in_the_queue}
    end;
written(#{mgmt_state := Other}, _) when Other /= inactive -> {unseen, Other};
written(_, ok) -> nothing_follows;
written(_, Error) -> {unseen, Error}.

%% mod_stream_mgmt has yet to see what was acknowledged.
c2s_handle_recv(#{?KEY := _} = State, _, #sm_a{}) ->
    tell_self(look),
    State;
c2s_handle_recv(State, _, _) -> State.

%% Everything that was routed is handled after the first of these, and before the second.
c2s_handle_info(State, {?KEY, {given, IsArchived, Given, Over, Left}}) ->
    tell_self({routed, IsArchived, Given}),
    {stop, received(Over, State#{?LEFT => Left})};
c2s_handle_info(#{jid := #jid{luser = User, lserver = Server}} = State, {?KEY, {routed, false, Given}}) ->
    %% What was not written here was routed elsewhere, or to nobody.
    cloud_claims:give_back([{{User, Server}, Id} || Id <- Given], given),
    {stop, look(State)};
c2s_handle_info(State, {?KEY, {routed, true, Given}}) ->
    Routed = case written(State, ok) of
                 {stanza, Number} ->
                     Written = fun(Id, Receipts) -> cloud_receipts:written(Id, Number, Receipts) end,
                     State#{?KEY => lists:foldl(Written, receipts(State), Given)};
                 %% A queue that is empty has been acknowledged, or nothing was routed.
                 {unseen, not_in_the_queue} -> received(Given, State);
                 nothing_follows -> received(Given, State);
                 {unseen, _} -> State
             end,
    {stop, look(Routed)};
c2s_handle_info(State, {?KEY, {refused, Id}}) ->
    tell_self(look),
    {stop, received([Id], State)};
c2s_handle_info(State, {?KEY, look}) -> {stop, look(State)};
c2s_handle_info(State, _) -> State.

%% A privacy list is why ejabberd drops a message. It asks on behalf of a session here, and of a person elsewhere. Only where the
%% session that was given the message refuses it is it routed to nobody. Another one may refuse it by a list of its own, while the
%% message is on its way to a third.
privacy_check_packet(deny, #{jid := #jid{luser = User, lserver = Server}}, #message{meta = #{?KEY := {{User, Server}, Id, false}}}, in) ->
    not cloud_claims:is_given({{User, Server}, Id}) orelse tell_self({refused, Id}),
    deny;
privacy_check_packet(Verdict, _, _, _) -> Verdict.

%% Another process goes on with the session, here or from another node.
c2s_copy_session(State, OldState) -> maps:merge(State, maps:with([?KEY, ?LEFT], OldState)).

c2s_session_resumed(#{?KEY := Receipts} = State) ->
    cloud_claims:hold(keys(State, cloud_receipts:ids(Receipts)), self(), written),
    look(State);
c2s_session_resumed(State) -> State.

%% The connection is gone, and the session waits for another one.
c2s_session_pending(#{?KEY := _} = State) -> remove(fun cloud_receipts:all_received/1, State);
c2s_session_pending(State) -> State.

c2s_terminated(#{?KEY := _} = State, _Reason) ->
    #{?KEY := Left} = Removed = remove(fun cloud_receipts:all_received/1, State),
    cloud_claims:give_back(keys(Removed, cloud_receipts:ids(Left)), '_'),
    Removed;
c2s_terminated(State, _Reason) -> State.

%%% What they share

tell_self(What) -> self() ! {?KEY, What}.

receipts(State) -> maps:get(?KEY, State, cloud_receipts:new()).

received(Ids, State) -> State#{?KEY => lists:foldl(fun cloud_receipts:received/2, receipts(State), Ids)}.

keys(#{jid := #jid{luser = User, lserver = Server}}, Ids) -> [{{User, Server}, Id} || Id <- Ids].

look(State) -> go_on(remove(fun cloud_receipts:due/1, State)).

%% Has mod_offline ask for what is left, when all was received: as if the person had just come.
go_on(#{?LEFT := []} = State) -> maps:remove(?LEFT, State);
go_on(#{?LEFT := Left, ?KEY := Receipts, pres_last := Presence} = State) ->
    case cloud_receipts:ids(Receipts) == [] andalso lists:member(maps:get(mgmt_state, State, inactive), [inactive, active]) of
        true ->
            Session = maps:remove(?LEFT, State),
            put(?LEFT, Left),
            try mod_offline:c2s_self_presence({Presence, maps:remove(pres_last, Session)})
            catch error:Why -> ?LOG_ERROR("Messages are not delivered before the next login: ~p", [Why])
            after erase(?LEFT)
            end,
            Session;
        false -> State
    end;
go_on(State) -> State.

%% A session that another process goes on with has nothing to say any more.
remove(_, #{mgmt_state := resumed} = State) -> State;
remove(Which, #{?KEY := Receipts} = State) ->
    {Ids, Left} = Which(cloud_receipts:acknowledged(kept(State), Receipts)),
    Ids == [] orelse remove_all(keys(State, Ids)),
    State#{?KEY := Left};
remove(_, State) -> State.

%% The first stanza that ejabberd keeps for a client that has not acknowledged it.
kept(#{mgmt_state := Active, mgmt_queue := Queue}) when Active == active; Active == pending; Active == timeout ->
    case p1_queue:peek(Queue) of
        {value, {Number, _, _}} when is_integer(Number) -> Number;
        empty -> none;
        _ -> unknown
    end;
kept(_) -> unknown.

%% A session does not wait for the store.
remove_all(Keys) ->
    Remover = spawn(fun() -> receive go -> remove_now(Keys) end end),
    cloud_claims:hold(Keys, Remover, removing),
    Remover ! go.

remove_now([{{User, Server} = Person, _} | _] = Keys) ->
    case cloud:done({offline_del, cloud:bare(User, Server), [Id || {_, Id} <- Keys]}) of
        ok ->
            cloud_claims:removed(Keys),
            %% Nodes may have counted it since mod_offline has forgotten the number, which it does before it routes.
            not mod_offline_opt:use_cache(Server)
                orelse ets_cache:delete(offline_msg_counter_cache, Person, ejabberd_cluster:get_nodes());
        {error, Reason} ->
            %% The claims end with this process.
            ?LOG_WARNING("~b messages for ~ts@~ts were delivered, and will be again, since they cannot be removed: ~p",
                         [length(Keys), User, Server, Reason])
    end.
