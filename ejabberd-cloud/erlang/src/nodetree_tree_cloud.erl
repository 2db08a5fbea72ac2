%%% SPDX-License-Identifier: MIT
%%%
%%% Which nodes of pubsub there are. A node's index names one life of it, so that nobody meets what is left of another one
%%% that had its name before.
-module(nodetree_tree_cloud).
-behaviour(gen_pubsub_nodetree).

-export([init/3, terminate/2, options/0, set_node/1, create_node/6, delete_node/2]).
-export([get_node/3, get_node/2, get_node/1, get_nodes/2, get_nodes/1, get_all_nodes/1]).
-export([get_parentnodes/3, get_parentnodes_tree/3, get_subnodes/3, get_subnodes_tree/3]).

-include("xmpp.hrl").
-include("pubsub.hrl").

init(_Host, _ServerHost, _Options) -> cloud:start().
terminate(_Host, _ServerHost) -> ok.
options() -> [{virtual_tree, false}].

set_node(#pubsub_node{id = Index} = Node) ->
    case cloud:done({pubsub_set, Index, content(Node)}) of
        ok -> ok;
        {error, notfound} -> absent();
        {error, _} -> failed()
    end.

get_node(Host, Name, _From) -> get_node(Host, Name).
get_node(Host, Name) -> one(cloud:call({pubsub_node, host(Host), Name})).
get_node(Index) -> one(cloud:call({pubsub_node_at, Index})).

one({ok, none}) -> absent();
one({ok, Stored}) ->
    Node = record(Stored),
    cloud_pubsub:has_read(Node),
    Node;
one({error, _}) -> failed().

get_nodes(Host) -> get_nodes(Host, infinity).
get_nodes(Host, Max) ->
    case cloud:call({pubsub_nodes, host(Host)}) of
        {ok, Nodes} -> first([record(Node) || Node <- Nodes], Max);
        {error, _} -> failed()
    end.

first(Nodes, infinity) -> Nodes;
first(Nodes, Max) -> lists:sublist(Nodes, Max).

%% Of a person, his own; of a host, those of its service, or those of all its people.
get_all_nodes({_, _, _} = JID) -> get_nodes(jid:tolower(jid:remove_resource(JID)));
get_all_nodes(Host) ->
    case cloud:call({pubsub_people, Host}) of
        {ok, People} ->
            Found = [get_nodes(Host) | [get_nodes(jid:tolower(jid:decode(Person))) || Person <- People]],
            case lists:all(fun is_list/1, Found) of
                true -> lists:append(Found);
                false -> failed()
            end;
        {error, _} -> failed()
    end.

get_parentnodes(Host, Name, _From) ->
    case get_node(Host, Name) of
        #pubsub_node{parents = Parents} -> [Node || Parent <- Parents, #pubsub_node{} = Node <- [get_node(Host, Parent)]];
        {error, _} = Error -> Error
    end.

%% The node and its ancestors, each with how far up it is.
get_parentnodes_tree(Host, Name, _From) -> up(Host, Name, 0).

up(Host, Name, Level) ->
    case get_node(Host, Name) of
        #pubsub_node{parents = [Parent | _]} = Node when Level < 100 -> [{Level, [Node]} | up(Host, Parent, Level + 1)];
        #pubsub_node{} = Node -> [{Level, [Node]}];
        {error, _} -> []
    end.

get_subnodes(Host, Name, Max) ->
    case get_nodes(Host) of
        Nodes when is_list(Nodes) -> first([Node || Node <- Nodes, is_child(Name, Node)], Max);
        {error, _} = Error -> Error
    end.

is_child(<<>>, #pubsub_node{parents = Parents}) -> Parents == [];
is_child(Name, #pubsub_node{parents = Parents}) -> lists:member(Name, Parents).

%% Nodes of flat and pep have none below them.
get_subnodes_tree(Host, Name, _From) ->
    case get_node(Host, Name) of
        #pubsub_node{} = Node -> [Node];
        {error, _} = Error -> Error
    end.

create_node(Host, Name, Type, Owner, Options, Parents) ->
    JID = jid:tolower(jid:remove_resource(Owner)),
    case may_create(Host, JID, Parents) of
        true ->
            Node = #pubsub_node{parents = Parents, type = Type, owners = [JID], options = Options},
            case cloud:call({pubsub_create, host(Host), Name, content(Node)}) of
                {ok, Index} -> {ok, Index};
                {error, exists} ->
                    {error, xmpp:err_conflict(<<"Node already exists">>, ejabberd_option:language())};
                {error, _} -> failed()
            end;
        false -> {error, xmpp:err_forbidden()};
        {error, _} = Error -> Error
    end.

%% Below a node that has an owner, only he makes others.
may_create({_, _, _}, _, _) -> true;
may_create(_, _, []) -> true;
may_create(Host, JID, [Parent | _]) ->
    case get_node(Host, Parent) of
        #pubsub_node{owners = [{<<>>, Host, <<>>}]} -> true;
        #pubsub_node{owners = Owners} -> lists:member(JID, Owners);
        {error, _} = Error -> Error
    end.

delete_node(Host, Name) ->
    case get_subnodes_tree(Host, Name, none) of
        Nodes when is_list(Nodes) ->
            case [Error || #pubsub_node{id = Index} <- Nodes, {error, _} = Error <- [cloud:call({pubsub_delete, Index})]] of
                [] -> Nodes;
                [_ | _] -> failed()
            end;
        {error, _} = Error -> Error
    end.

host({_, _, _} = JID) -> cloud:bare(JID);
host(Host) -> Host.

content(#pubsub_node{type = Type, owners = Owners, parents = Parents, options = Options}) ->
    {Type, [cloud:bare(Owner) || Owner <- Owners], Parents, term_to_binary(Options)}.

record({Index, Host, Name, {Type, Owners, Parents, Options}}) ->
    HostKey = case jid:tolower(jid:decode(Host)) of
                  {<<>>, Server, _} -> Server;
                  Person -> Person
              end,
    #pubsub_node{nodeid = {HostKey, Name}, id = Index, type = Type, parents = Parents,
                 owners = [jid:tolower(jid:decode(Owner)) || Owner <- Owners], options = binary_to_term(Options)}.

absent() -> {error, xmpp:err_item_not_found(<<"Node not found">>, ejabberd_option:language())}.
failed() -> {error, xmpp:err_internal_server_error(<<"Database failure">>, ejabberd_option:language())}.
